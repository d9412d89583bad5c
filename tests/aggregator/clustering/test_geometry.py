import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.clustering.geometry import MODEL, OBJECTS, gram
from aggregator.clustering.kmeans import membership
from tests.aggregator.clustering.companies import ALPHA, BETA, drawn, models, seeds, shares, space

GROUPS = [0, 0, 0, 1, 1, 2, 2, 2, 2]


def naive_terms(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Distances to the means, (K, M), in units of the mean distance of two."""
    every = np.linalg.norm(rows[:, None] - rows[None, :], axis=-1)
    unit = every[np.triu_indices(len(rows), 1)].mean()
    centres = np.stack([rows[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    return np.linalg.norm(rows[:, None] - centres[None, :], axis=-1) / unit


@given(seeds)
def test_distances_to_means_are_those_of_vectors_written_down(seed):
    rows, seen = models(seed, GROUPS), shares(seed, GROUPS)
    labels = np.array(GROUPS)
    terms = space(rows, seen).to_means(membership(labels, 3))
    np.testing.assert_allclose(terms[MODEL], naive_terms(rows, labels), atol=1e-6)
    np.testing.assert_allclose(
        terms[OBJECTS], naive_terms(np.array(seen, float), labels), atol=1e-6
    )


@given(seeds, st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_the_scale_of_models_and_of_shares_does_not_matter(seed, of_models, of_shares):
    rows, seen = models(seed, GROUPS), shares(seed, GROUPS)
    larger = space(of_models * rows, [np.float64(of_shares) * each for each in seen])
    np.testing.assert_allclose(larger.pairs(), space(rows, seen).pairs(), rtol=1e-5, atol=1e-7)


@given(seeds)
def test_two_participants_are_as_far_apart_as_alpha_and_beta_say_on_average(seed):
    pairs = drawn(seed, GROUPS).pairs()
    assert pairs[np.triu_indices(len(GROUPS), 1)].mean() == pytest.approx(ALPHA + BETA)
    np.testing.assert_array_equal(pairs, pairs.T)
    assert not pairs.diagonal().any()


def test_a_term_in_which_nobody_differs_is_zero():
    seen = shares(0, GROUPS)
    flat = space(np.ones((9, 5)), seen)
    assert flat.scales[MODEL] == 0
    assert not flat.squares[MODEL].any()
    assert not space(models(0, GROUPS), [seen[0]] * 9).squares[OBJECTS].any()


def test_who_does_not_say_what_it_sees_is_as_far_as_the_average_from_everybody():
    seen = [*shares(1, GROUPS)[:-1], None]
    silent = space(models(1, GROUPS), seen)
    assert (silent.squares[OBJECTS][-1, :-1] == 1).all()
    terms = silent.to_means(membership(np.array(GROUPS), 3))[OBJECTS]
    assert (terms[-1] == 1).all()
    alone = np.array([0, 0, 0, 1, 1, 2, 2, 2, 3])  # a cluster of nobody who says
    assert (silent.to_means(membership(alone, 4))[OBJECTS][:, 3] == 1).all()


def test_without_any_shares_models_alone_decide():
    rows = models(2, GROUPS)
    mute = space(rows, [None] * 9)
    assert mute.scales[OBJECTS] == 0
    np.testing.assert_allclose(mute.pairs(), ALPHA * np.sqrt(mute.squares[MODEL]))


def test_noised_shares_are_compared_as_they_are():
    noisy = [each + np.float32(0.2) for each in shares(3, GROUPS)]  # they sum up to nothing special
    np.testing.assert_allclose(
        space(models(3, GROUPS), noisy).pairs(),
        space(models(3, GROUPS), shares(3, GROUPS)).pairs(),
        rtol=1e-4,
    )


@given(seeds, st.integers(1, 3))
def test_the_gram_matrix_is_that_of_start_and_delta_about_their_mean(seed, models_given):
    random = np.random.default_rng(seed)
    starts = [{"a": random.normal(0, 3, (50, 200)).astype(np.float32)} for _ in range(models_given)]
    deltas = [{"a": random.normal(0, 1, (50, 200)).astype(np.float32)} for _ in range(6)]
    whose = np.arange(6) % models_given
    found = gram([{**delta, "of_no_weight": np.ones(1)} for delta in deltas], starts, whose)
    rows = np.stack([(starts[i % models_given]["a"] + deltas[i]["a"]).ravel() for i in range(6)])
    rows = rows.astype(float) - rows.mean(axis=0, dtype=float)
    np.testing.assert_allclose(found, rows @ rows.T, atol=1e-5 * np.square(rows).sum(1).max())


def test_small_steps_of_large_models_are_told_apart():
    random = np.random.default_rng(0)
    start = {"a": random.normal(0, 1000, 10_000).astype(np.float32)}
    steps = random.normal(0, 1e-3, (3, 10_000)).astype(np.float32)
    seen = gram([{"a": step} for step in steps], [start], np.zeros(3, np.intp))
    exact = steps.astype(float) - steps.mean(axis=0, dtype=float)
    np.testing.assert_allclose(seen, exact @ exact.T, rtol=1e-4, atol=1e-9)
