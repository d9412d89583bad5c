import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.errors import ModelError
from edge.federation.noise import clipped, l2_norm, noised

finite = st.floats(-(2.0**60), 2.0**60, width=32)
deltas = st.dictionaries(
    st.sampled_from("abc"), arrays(np.float32, st.integers(0, 20), elements=finite)
)
norms = st.floats(1e-3, 1e6)


@given(deltas, norms)
def test_no_update_is_longer_than_the_bound(delta, clip_norm):
    assert l2_norm(clipped(delta, clip_norm)) <= clip_norm


@given(deltas, norms)
def test_short_updates_stay_and_long_ones_keep_their_direction(delta, clip_norm):
    after = clipped(delta, clip_norm)
    norm = l2_norm(delta)
    factor = 1.0 if norm <= clip_norm else clip_norm / norm
    for name, array in delta.items():
        np.testing.assert_allclose(after[name], array * factor, rtol=1e-6, atol=1e-30)
        assert after[name].dtype == np.float32


def test_the_norm_is_that_of_all_arrays_together():
    assert l2_norm({"a": np.float32([3]), "b": np.float32([[4]])}) == 5


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_training_that_diverged_is_refused(bad):
    with pytest.raises(ModelError, match="diverged"):
        clipped({"a": np.float32([1, bad])}, 1.0)


def test_noise_has_the_width_that_was_asked_for():
    delta = {"a": np.zeros((200, 500), np.float32), "b": np.zeros(100_000, np.float32)}
    sent = noised(delta, clip_norm=2.0, noise_multiplier=1.5, generator=np.random.default_rng(0))
    for array in sent.values():  # 100 000 draws: the deviation is known to 0.3 %
        assert np.std(array) == pytest.approx(3.0, rel=0.01)
        assert abs(np.mean(array)) < 0.04
        assert array.dtype == np.float32
    assert abs(np.corrcoef(sent["a"].ravel(), sent["b"])[0, 1]) < 0.02


def test_noise_is_added_to_the_clipped_delta():
    delta = {"a": np.full(4, 100, np.float32)}
    sent = noised(delta, clip_norm=1.0, noise_multiplier=0.0)
    np.testing.assert_array_equal(sent["a"], clipped(delta, 1.0)["a"])


def test_without_a_seed_no_two_draws_are_alike():
    delta = {"a": np.zeros(8, np.float32)}
    once, again = (noised(delta, clip_norm=1.0, noise_multiplier=1.0)["a"] for _ in range(2))
    assert not np.any(once == again)
