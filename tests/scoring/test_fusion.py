import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.scoring.fusion import fuse

terms = arrays(np.float32, (3, 4), elements=st.floats(0, 9, width=32))


def test_a_silent_term_says_nothing_unusual():
    surprise = np.array([[1, 0, 0], [3, 2, 0]], np.float32)
    assert fuse(surprise).tolist() == [2, 1, 0]


@given(surprise=terms, order=st.permutations(range(3)))
def test_the_order_of_the_terms_does_not_matter(surprise, order):
    np.testing.assert_allclose(fuse(surprise[order]), fuse(surprise), rtol=1e-5)


@given(surprise=terms, more=terms)
def test_more_surprise_never_lowers_it(surprise, more):
    assert (fuse(surprise + more) >= fuse(surprise) - 1e-5).all()


def test_no_terms_and_no_regions_are_no_error():
    assert fuse(np.zeros((0, 2), np.float32)).tolist() == [0, 0]
    assert fuse(np.zeros((2, 0), np.float32)).shape == (0,)
