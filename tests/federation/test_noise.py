import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.errors import ModelError
from edge.federation.noise import clipped, l2_norm, noised, noised_shares

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


counted = st.lists(st.integers(0, 10**9), min_size=1, max_size=50)


@given(counted, st.floats(0, 1e3), st.integers(0, 2**32))
def test_noised_shares_are_a_distribution(counts, noise, seed):
    shares = noised_shares(counts, noise, np.random.default_rng(seed))
    assert shares.dtype == np.float32
    assert shares.shape == (len(counts),)
    assert (shares >= 0).all()
    assert shares.sum(dtype=np.float64) == pytest.approx(1, abs=1e-5)


@given(counted)
def test_without_noise_shares_are_the_counts_over_their_sum(counts):
    shares = noised_shares(counts, 0.0)
    total = sum(counts)
    expected = [count / total if total else 1 / len(counts) for count in counts]
    np.testing.assert_allclose(shares, expected, atol=1e-6)


def test_the_noise_of_shares_is_that_of_the_multiplier():
    counts, rng = np.array([700, 300]), np.random.default_rng(3)
    drawn = np.array([noised_shares(counts, 0.05, rng) for _ in range(4000)])
    # of two shares that sum to one each carries the difference of two draws, halved
    np.testing.assert_allclose(drawn.mean(axis=0), [0.7, 0.3], atol=0.003)
    np.testing.assert_allclose(drawn.std(axis=0), 0.05 / math.sqrt(2), rtol=0.05)


def test_the_noise_does_not_shrink_with_the_number_of_objects():
    few, many = (
        np.std([noised_shares([7 * n, 3 * n], 0.05, np.random.default_rng(s)) for s in range(300)])
        for n in (1, 10**6)
    )
    assert few == pytest.approx(many, rel=1e-6)


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=20), st.data())
def test_one_footage_more_moves_the_shares_by_no_more_than_one(counts, data):
    """The bounds that the privacy ledger counts on."""
    shares = noised_shares(counts, 0.0) if any(counts) else np.zeros(len(counts))
    assert np.linalg.norm(shares) <= 1 + 1e-6
    other = data.draw(st.lists(st.integers(0, 1000), min_size=len(counts), max_size=len(counts)))
    if any(other):
        assert np.linalg.norm(shares - noised_shares(other, 0.0)) <= math.sqrt(2) + 1e-6


def test_shares_of_two_hosts_are_not_noised_alike():
    once, again = (noised_shares([5, 5, 5], 0.5) for _ in range(2))
    assert not np.array_equal(once, again)


KINDS = np.array(
    [[90, 2, 2, 2, 2, 2, 0, 0], [30, 50, 10, 5, 5, 0, 0, 0], [60, 5, 0, 0, 0, 5, 30, 0]]
)
"""Objects of eight classes in a precinct, on a road and before a shop."""


def told_apart(noise):
    """How often shares are nearest to those of their own kind."""
    rng, clean = np.random.default_rng(0), KINDS / 100
    kinds = np.arange(900) % len(KINDS)
    drawn = np.array([noised_shares(KINDS[kind], noise, rng) for kind in kinds])
    away = np.linalg.norm(drawn[:, None] - clean, axis=2)
    return np.mean(away.argmin(axis=1) == kinds)


def test_little_noise_leaves_the_kind_and_much_hides_it():
    assert told_apart(0.1) > 0.95
    assert told_apart(0.2) > 0.8
    assert told_apart(1.0) < 0.5  # a third would be chance
