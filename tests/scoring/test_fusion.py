import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.scoring.fusion import fuse

terms = arrays(np.float32, (3, 4), elements=st.floats(0, 9, width=32))


@pytest.mark.parametrize(("rule", "expected"), [("max", [3, 2, 0]), ("mean", [2, 2, 0])])
def test_a_silent_term_does_not_count(rule: str, expected: list[float]):
    surprise = np.array([[1, np.nan, np.nan], [3, 2, np.nan]], np.float32)
    assert fuse(surprise, rule).tolist() == expected


@pytest.mark.parametrize("rule", ["max", "mean"])
@given(surprise=terms, order=st.permutations(range(3)))
def test_the_order_of_the_terms_does_not_matter(rule: str, surprise, order):
    np.testing.assert_allclose(fuse(surprise[order], rule), fuse(surprise, rule), rtol=1e-5)


@pytest.mark.parametrize("rule", ["max", "mean"])
@given(surprise=terms, more=terms)
def test_more_surprise_never_lowers_it(rule: str, surprise, more):
    assert (fuse(surprise + more, rule) >= fuse(surprise, rule) - 1e-5).all()


@pytest.mark.parametrize("rule", ["max", "mean"])
def test_no_terms_and_no_regions_are_no_error(rule: str):
    assert fuse(np.zeros((0, 2), np.float32), rule).tolist() == [0, 0]
    assert fuse(np.zeros((2, 0), np.float32), rule).shape == (0,)
