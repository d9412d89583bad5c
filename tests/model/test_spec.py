import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ModelError
from edge.model.spec import StudentSpec, check_weights
from tests.model.specs import HEADS, SPECS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@pytest.mark.parametrize("spec", SPECS, ids=HEADS)
def test_a_spec_survives_json(spec: StudentSpec):
    assert StudentSpec.from_json(json.loads(json.dumps(spec.as_json()))) == spec


def test_who_learnt_elsewhere_brings_its_measure_and_only_a_density_is_an_energy():
    assert [spec.head for spec in SPECS if spec.brings_its_measure] == ["dakd"]
    assert [spec.head for spec in SPECS if spec.is_energy] == ["density"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"head": "dense"}, "none of clap"),
        ({"inputs": 0}, "inputs must be"),
        ({"hidden": 1.5}, "hidden must be"),
        ({"window": 2}, "window must be 1"),
        ({"dropout": 1.0}, "dropout"),
        ({"noise": [1.0, 0.1]}, "noise"),
        ({"noise": [0.1]}, "noise"),
        ({"unknown": 1}, "fields do not fit"),
        ({"noise_levels": "5"}, "noise_levels"),
    ],
)
def test_what_cannot_be_built_is_refused(change, why: str):
    with pytest.raises(ModelError, match=why):
        StudentSpec.from_json(SPECS[0].as_json() | change)


@given(st.dictionaries(st.sampled_from(sorted(SPECS[0].as_json())), JSON, max_size=4))
def test_any_json_is_a_spec_or_a_model_error(change):
    try:
        spec = StudentSpec.from_json(SPECS[0].as_json() | change)
    except ModelError:
        return
    assert StudentSpec.from_json(spec.as_json()) == spec


def test_attention_heads_divide_the_width():
    with pytest.raises(ModelError, match="divide"):
        StudentSpec("temporal", 4, window=2, hidden=10, attention_heads=4)


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        ({}, r"lacks \['a'\]"),
        ({"a": np.zeros(2, np.float32), "b": np.zeros(1, np.float32)}, r"knows no \['b'\]"),
        ({"a": np.zeros(3, np.float32)}, r"float32 \(3,\)"),
        ({"a": np.zeros(2)}, "float64"),
        ({"a": np.array([0, np.nan], np.float32)}, "not finite"),
        ({"a": np.array([0, np.inf], np.float32)}, "not finite"),
    ],
)
def test_weights_of_another_model_are_refused(weights, why: str):
    with pytest.raises(ModelError, match=why):
        check_weights(weights, {"a": (2,)}, where="here")
