import pytest

from aggregator.simulate.method import Method
from aggregator.strategies.fvcc import FVCC
from edge.errors import ConfigError


def test_suffixes_say_what_is_done_to_a_model():
    assert Method.parse("fvcc+ased+tuned") == Method("fvcc", True, True, True)
    assert Method.parse("fedavg+vd") == Method("fedavg", distilled=True)
    assert Method.parse("local") == Method("local")


@pytest.mark.parametrize(
    "text", ["fvcc+tuned+ased", "fvcc+ased+vd", "fvcc+what", "local+tuned", "centralised+ased"]
)
def test_suffixes_that_make_no_sense_are_refused(text: str):
    with pytest.raises(ConfigError, match="--methods"):
        Method.parse(text)


def test_who_counts_objects_is_told_which_unless_the_operator_has_said():
    classes = ("person", "car")
    assert Method("fvcc").strategy({}, classes).classes == classes
    assert Method("fvcc").strategy({}).classes == ()
    assert Method("fvcc").strategy({"fvcc": {"classes": ["x"]}}, classes).classes == ("x",)
    assert Method("fedavg").strategy({}, classes).classes == ()
    assert isinstance(Method("fvcc").strategy({"fvcc": {"alpha": 0.5}}), FVCC)


def test_shares_of_objects_are_asked_for_by_those_who_compare_them():
    assert Method("fvcc").counts_objects({})
    assert not Method("fvcc").counts_objects({"fvcc": {"classes": []}})
    assert not Method("fedavg").counts_objects({})
    assert not Method("local").counts_objects({})
