from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.strategies.krum import Krum, MultiKrum
from edge.domain.weights import WeightUpdate
from tests.aggregator.strategies.hostile import HONEST, attacks, round_with
from tests.aggregator.strategies.updates import drawn_updates, matrix, moved, run, seeds


def scores(rows, hostile):
    """As the paper says it, from the differences."""
    squares = ((rows[:, None] - rows[None]) ** 2).sum(2)
    return np.array(
        [
            np.sort(np.delete(row, i))[: len(rows) - hostile - 2].sum()
            for i, row in enumerate(squares)
        ]
    )


@given(seeds, st.integers(0, 3), st.integers(0, 6))
def test_krum_chooses_the_lowest_score(seed, hostile, more):
    updates = drawn_updates(seed, 2 * hostile + 3 + more)
    rows = matrix(updates)
    chosen = moved(run(Krum(hostile=hostile), updates))
    expected = rows[scores(rows, hostile).argmin()]
    if hostile or more:  # three updates without a liar: the closest two have the same score
        np.testing.assert_allclose(chosen, expected, atol=1e-6)
    else:
        assert np.isclose(rows, chosen, atol=1e-6).all(1).any()


@given(seeds, st.integers(1, 12))
def test_multi_krum_averages_the_lowest_scores(seed, keep):
    updates = drawn_updates(seed, 12)
    rows = matrix(updates)
    best = np.argsort(scores(rows, 2))
    step = moved(run(MultiKrum(hostile=2, keep=keep), updates))
    np.testing.assert_allclose(step, rows[best[:keep]].mean(0), atol=2e-6)
    default = moved(run(MultiKrum(hostile=2), updates))
    np.testing.assert_allclose(default, rows[best[:8]].mean(0), atol=2e-6)


def test_of_equal_scores_the_name_decides_not_who_came_first():
    corners = np.eye(3, dtype=np.float32)  # all as far from each other
    model = {"x": np.zeros(3, np.float32)}
    updates = [WeightUpdate(f"p{i}", 1, 1, {"x": corner}) for i, corner in enumerate(corners)]
    for order in permutations(updates):
        step = run(Krum(hostile=0), order, model=model)
        np.testing.assert_array_equal(step.model["x"], corners[0])


@pytest.mark.parametrize("make", [Krum, MultiKrum])
@given(seed=seeds, liars=st.integers(1, 3), attack=attacks)
def test_no_liar_is_ever_chosen(make, seed, liars, attack):
    honest, lies = round_with(seed, liars, attack)
    step = moved(run(make(hostile=liars), [*lies, *honest]))
    rows = matrix(honest)
    assert len(rows) == HONEST
    assert (rows.min(0) - 1e-5 <= step).all()
    assert (step <= rows.max(0) + 1e-5).all()
