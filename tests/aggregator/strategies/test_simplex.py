import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import minimize

from aggregator.strategies.simplex import least_square, projected
from tests.aggregator.strategies.updates import seeds


def problem(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.normal(size=(count, 5)), random.uniform(0.01, 1, count)


@given(seeds, st.integers(1, 12))
def test_shares_are_shares_and_no_others_are_better(seed, count):
    rows, penalties = problem(seed, count)

    def square(shares: np.ndarray) -> float:
        return np.square(shares @ rows).sum() + np.square(shares) @ penalties

    shares = least_square(rows, penalties)
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()
    reference = minimize(
        square,
        np.full(count, 1 / count),
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda shares: shares.sum() - 1},
        options={"ftol": 1e-12},
    )
    assert square(shares) <= reference.fun + 1e-6


@given(seeds, st.integers(1, 12))
@example(seed=3419047, count=10)  # where momentum turns round on the way
def test_without_rows_shares_are_as_certainties_are(seed, count):
    _, penalties = problem(seed, count)
    expected = (1 / penalties) / (1 / penalties).sum()
    np.testing.assert_allclose(least_square(np.zeros((count, 3)), penalties), expected, atol=1e-4)


def test_where_nothing_matters_shares_are_equal():
    np.testing.assert_array_equal(least_square(np.zeros((4, 3)), np.zeros(4)), np.full(4, 0.25))


@given(seeds, st.integers(1, 12))
def test_the_projection_is_the_nearest_of_all_shares(seed, count):
    random = np.random.default_rng(seed)
    point, other = random.normal(size=count), random.dirichlet(np.ones(count))
    nearest = projected(point)
    assert nearest.sum() == pytest.approx(1)
    assert (nearest >= 0).all()
    assert np.linalg.norm(point - nearest) <= np.linalg.norm(point - other) + 1e-9
    np.testing.assert_allclose(projected(other), other, atol=1e-12)
