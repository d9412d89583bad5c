import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from edge.domain.assignment import assign

gains = st.tuples(st.integers(0, 9), st.integers(0, 9)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-1, 1, width=16))
)


@given(gains)
def test_no_other_pairing_gains_more(gain):
    rows, columns = assign(gain)
    worth = np.maximum(gain, 0)  # leaving a pair apart gains nothing and costs nothing
    best = worth[linear_sum_assignment(worth, maximize=True)].sum()
    np.testing.assert_allclose(gain[rows, columns].sum(), best, atol=1e-9)


@given(gains)
def test_pairs_are_one_to_one_and_worth_while(gain):
    rows, columns = assign(gain)
    assert len(set(rows.tolist())) == len(rows) == len(set(columns.tolist())) == len(columns)
    assert (gain[rows, columns] > 0).all()


@given(gains)
def test_turning_the_matrix_turns_the_pairs(gain):
    rows, columns = assign(gain)
    turned_columns, turned_rows = assign(gain.T)
    total, turned = gain[rows, columns].sum(), gain[turned_rows, turned_columns].sum()
    np.testing.assert_allclose(total, turned, atol=1e-9)
