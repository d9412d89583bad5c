import pytest

from edge.errors import ConfigError
from export.dakd.options import UNDISTILLED, DistilOptions, TeacherOptions


def test_the_defaults_are_the_published_constants():
    published = DistilOptions()
    assert (published.epochs, published.half_batch, published.segments) == (100, 30, 32)
    assert (published.learning_rate, published.temporal_learning_rate) == (1e-3, 1e-4)
    assert published.weight_decay == 1e-3
    assert (published.alpha, published.tau, published.delta) == (7.5, 10, 0.9)
    assert (published.sparsity, published.smoothness) == (8e-5, 8e-5)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"epochs": 0}, "--epochs 0"),
        ({"half_batch": 0}, "--half-batch 0"),
        ({"segments": 1}, "--segments 1"),
        ({"weight_decay": -1.0}, "--weight-decay"),
        ({"learning_rate": float("nan")}, "--learning-rate"),
        ({"alpha": float("inf")}, "--alpha"),
        ({"tau": 0.0}, "--tau"),
        ({"predictions": "guesses"}, "--predictions guesses"),
    ],
)
def test_what_cannot_be_meant_is_refused(change, why: str):
    with pytest.raises(ConfigError, match=why):
        DistilOptions(**change)


def test_only_a_loss_that_asks_a_teacher_needs_one():
    assert DistilOptions().needs_teacher
    assert DistilOptions(alpha=0.0).needs_teacher
    assert DistilOptions(predictions="video-labels").needs_teacher
    assert not UNDISTILLED.needs_teacher
    assert issubclass(DistilOptions, TeacherOptions)
