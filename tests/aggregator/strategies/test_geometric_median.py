import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aggregator.strategies.averaging import FedAvg
from aggregator.strategies.geometric_median import GeometricMedian
from tests.aggregator.strategies.hostile import attacks, distance_to_honest, round_with
from tests.aggregator.strategies.updates import drawn_updates, matrix, moved, run, seeds


def total_distance(point, rows):
    return np.linalg.norm(rows - point, axis=1).sum()


@given(seeds, st.integers(1, 12))
def test_no_point_nearby_has_a_smaller_sum_of_distances(seed, count):
    updates = drawn_updates(seed, count)
    rows = matrix(updates)
    found = moved(run(GeometricMedian(), updates))
    least = total_distance(found, rows)
    random = np.random.default_rng(seed)
    others = [*rows, rows.mean(0), np.median(rows, axis=0)]
    others += [found + random.normal(0, size, found.shape) for size in (1e-3, 1e-2, 0.1, 1)]
    assert least <= min(total_distance(other, rows) for other in others) + 1e-4


def test_of_three_on_a_line_it_is_the_one_between():
    updates = drawn_updates(0, 3)
    for update, place in zip(updates, (0.0, 1.0, 1e4), strict=True):
        for array in update.delta.values():
            array.fill(place)
    np.testing.assert_allclose(moved(run(GeometricMedian(), updates)), 1.0, atol=1e-3)


@given(seeds, st.integers(1, 3), attacks)
def test_less_than_half_of_liars_do_not_carry_it_away(seed, liars, attack):
    honest, lies = round_with(seed, liars, attack)
    rows = matrix(honest)
    assert distance_to_honest(moved(run(GeometricMedian(), [*lies, *honest])), rows) < 1.5
    assert distance_to_honest(moved(run(FedAvg(weighting="equal"), [*lies, *honest])), rows) > 1.5
