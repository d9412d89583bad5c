import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.strategies.screen import MAX_EXAMPLES, MAX_MAGNITUDE, screen
from edge.domain.weights import WeightUpdate
from edge.errors import MalformedMessageError
from tests.aggregator.strategies.updates import SHAPES, drawn_updates, seeds


def changed(**arrays):
    (update,) = drawn_updates(0, 1)
    delta = {name.replace("__", "."): array for name, array in arrays.items()}
    return WeightUpdate("gate-7", 12, 5, {**update.delta, **delta})


def refused(update, said):
    with pytest.raises(MalformedMessageError, match=re.escape(said)) as caught:
        screen(update, SHAPES)
    assert "gate-7 in round 12" in str(caught.value)


@given(seeds)
def test_a_sound_update_passes(seed):
    screen(drawn_updates(seed, 1)[0], SHAPES)


@given(
    st.sampled_from([np.nan, np.inf, -np.inf, 2 * MAX_MAGNITUDE, -2 * MAX_MAGNITUDE]),
    st.integers(0, 11),
)
def test_one_bad_value_anywhere_is_found(value, place):
    array = np.zeros((4, 3), np.float32)
    array.reshape(-1)[place] = value
    refused(changed(body__weight=array), "'body.weight' has values that are not finite")


def test_a_wrong_shape_is_refused_even_if_it_would_broadcast():
    refused(changed(norm1__bias=np.zeros(1, np.float32)), "'norm1.bias' has shape (1,), must have")


def test_a_wrong_type_is_refused():
    refused(changed(norm1__bias=np.zeros(3)), "'norm1.bias' is of float64")


def test_an_unknown_array_is_refused():
    refused(changed(extra=np.zeros(1, np.float32)), "'extra' is not part of the model")


def test_a_missing_array_is_refused():
    delta = dict(changed().delta)
    del delta["fc4.weight"]
    refused(WeightUpdate("gate-7", 12, 5, delta), "'fc4.weight' is missing")


@pytest.mark.parametrize("count", [0, -1, MAX_EXAMPLES + 1])
def test_a_senseless_number_of_examples_is_refused(count):
    refused(WeightUpdate("gate-7", 12, count, changed().delta), f"num_examples is {count}")


def test_an_empty_array_is_no_fault():
    update = WeightUpdate("gate-7", 1, 1, {"x": np.zeros((0, 3), np.float32)})
    screen(update, {"x": (0, 3)})
