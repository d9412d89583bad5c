import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from edge.errors import TrainingError
from edge.training.pseudo_labels import (
    Gaussian,
    corrected,
    labelled_segments,
    more_anomalous,
    normal_statistics,
    p_values,
    refined,
    step_spread,
    video_statistics,
    von_neumann_entropy,
)

numbers = st.floats(-100, 100, width=32)
shares = st.floats(0.01, 1)
positive = st.floats(0, 1)


def vectors(low: int, high: int = 40) -> st.SearchStrategy[np.ndarray]:
    return st.integers(low, high).flatmap(lambda m: arrays(np.float32, m, elements=numbers))


def slow_step_spread(z: np.ndarray) -> float:
    """Eqs. 1 and 2 as they are written."""
    steps = [float(a) - float(b) for a, b in pairwise(z)]
    mean = sum(steps) / (len(z) - 1)
    return math.sqrt(sum((step - mean) ** 2 for step in steps) / (len(z) - 2))


@given(vectors(3))
def test_sigma_is_equation_2(z: np.ndarray):
    assert step_spread(z) == pytest.approx(slow_step_spread(z), rel=1e-9, abs=1e-9)


def slow_entropy(f: np.ndarray, normalise: bool) -> float:
    """Eqs. 3 and 4 on the (d, d) covariance."""
    spectrum = np.linalg.eigvalsh(np.atleast_2d(np.cov(f.astype(np.float64), rowvar=False)))
    spectrum = np.clip(spectrum, 0, None)
    total = spectrum.sum()
    kept = [x for x in spectrum if total and x / total > 1e-12]
    return -sum(p * math.log(p) for p in (x / total if normalise else x for x in kept))


@given(
    st.tuples(st.integers(3, 12), st.integers(1, 12)).flatmap(
        lambda shape: arrays(np.float32, shape, elements=st.floats(-10, 10, width=16))
    ),
    st.booleans(),
)
def test_entropy_is_that_of_the_covariance_whichever_product_is_smaller(f, normalise: bool):
    centred = f.astype(np.float64) - f.mean(axis=0, dtype=np.float64)
    singular = np.linalg.svd(centred, compute_uv=False)
    share = singular**2 / max((singular**2).sum(), 1e-30)
    assume(not ((share > 1e-15) & (share < 1e-9)).any())  # neither clearly there nor absent
    expected = slow_entropy(f, normalise)
    assert von_neumann_entropy(f, normalise=normalise) == pytest.approx(
        expected, rel=1e-6, abs=1e-6
    )


@given(st.integers(2, 6), st.floats(0.1, 50))
def test_normalised_entropy_ignores_scale_and_is_highest_for_equal_shares(d: int, scale: float):
    corners = np.concatenate([np.eye(d), -np.eye(d)]).astype(np.float32)
    assert von_neumann_entropy(corners) == pytest.approx(math.log(d))
    assert von_neumann_entropy(corners * np.float32(scale)) == pytest.approx(math.log(d), rel=1e-5)
    line = np.arange(6, dtype=np.float32)[:, None] * np.ones((1, d), np.float32)
    assert von_neumann_entropy(line) == pytest.approx(0, abs=1e-9)


def test_segments_that_never_change_have_no_entropy():
    assert von_neumann_entropy(np.ones((4, 3), np.float32)) == 0.0
    assert von_neumann_entropy(np.ones((4, 3), np.float32), normalise=False) == 0.0


@pytest.mark.parametrize("m", range(3))
def test_sigma_of_fewer_than_three_segments_is_never_computed(m: int):
    with pytest.raises(ValueError, match="undefined"):
        video_statistics(np.zeros((m, 2), np.float32), np.zeros(m, np.float32))


def test_the_group_of_larger_mean_entropy_is_anomalous():
    statistics = np.array([[9.0, 0.1], [0.0, 2.0], [9.0, 0.2], [0.0, 1.0]])
    second = np.array([False, True, False, True])
    for group in (second, ~second):
        np.testing.assert_array_equal(more_anomalous(statistics, group), second)


@given(arrays(np.bool_, 6), arrays(np.int8, 6, elements=st.integers(-1, 1)))
def test_what_people_said_counts(pseudo: np.ndarray, known: np.ndarray):
    for before, said, after in zip(pseudo, known, corrected(pseudo, known), strict=True):
        assert after == (before if said == -1 else said == 1)


@given(st.lists(vectors(0, 8), min_size=1, max_size=5), st.data())
def test_participants_send_mean_variance_and_number(videos: list[np.ndarray], data):
    anomalous = np.array(data.draw(st.lists(st.booleans(), min_size=5, max_size=5)))[: len(videos)]
    z = [float(v) for video, odd in zip(videos, anomalous, strict=True) if not odd for v in video]
    sent = normal_statistics(videos, anomalous)
    if len(z) < 2:
        assert sent is None
        return
    mean = sum(z) / len(z)
    assert sent.num_segments == len(z)
    assert sent.mean == pytest.approx(mean, abs=1e-6)
    variance = sum((v - mean) ** 2 for v in z) / (len(z) - 1)
    assert sent.variance == pytest.approx(variance, rel=1e-6, abs=1e-6)


MIXTURE = [Gaussian(3.0, 0.25, 30), Gaussian(6.0, 4.0, 10)]


@given(vectors(1, 10))
def test_p_is_the_density_or_the_tail_of_the_mixture(z: np.ndarray):
    parts = [(0.75, stats.norm(3.0, 0.5)), (0.25, stats.norm(6.0, 2.0))]
    density = sum(share * part.pdf(z.astype(float)) for share, part in parts)
    far = [(share, part, np.abs(z.astype(float) - part.mean())) for share, part in parts]
    tail = sum(share * 2 * part.sf(part.mean() + away) for share, part, away in far)
    np.testing.assert_allclose(p_values(z, MIXTURE), density, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(p_values(z, MIXTURE, kind="tail"), tail, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("kind", ["density", "tail"])
def test_a_participant_whose_norms_are_all_equal_does_no_harm(kind):
    p = p_values(np.array([1.0, 2.0], np.float32), [Gaussian(1.0, 0.0, 5)], kind=kind)
    assert np.isfinite(p).all()
    assert p[0] > p[1]


def test_without_normal_footage_anywhere_nothing_can_be_compared():
    with pytest.raises(TrainingError, match="no participant"):
        p_values(np.ones(3, np.float32), [])


def windows(m: int, beta: float) -> list[range]:
    width = math.ceil(beta * m - 1e-9)
    return [range(begin, begin + width) for begin in range(m - width + 1)]


@given(arrays(np.float64, st.integers(1, 40), elements=positive), shares)
def test_the_window_of_lowest_mean_p_is_labelled(p: np.ndarray, beta: float):
    chosen = set(np.flatnonzero(labelled_segments(p, beta=beta)))
    every = windows(len(p), beta)
    assert chosen in [set(window) for window in every]
    lowest = min(np.mean(p[list(window)]) for window in every)
    assert np.mean(p[list(chosen)]) <= lowest + 1e-12


@pytest.mark.parametrize(
    ("m", "beta", "width"), [(100, 0.07, 7), (5, 0.2, 1), (6, 0.2, 2), (1, 1, 1)]
)
def test_the_width_is_the_share_rounded_up(m: int, beta: float, width: int):
    assert labelled_segments(np.ones(m), beta=beta).sum() == width


def test_a_video_without_segments_has_no_labels():
    assert labelled_segments(np.zeros(0)).shape == (0,)


@given(
    arrays(np.float32, st.integers(1, 30), elements=st.floats(0, 1, width=16)), shares, st.data()
)
def test_refinement_keeps_what_both_name_else_takes_both(q: np.ndarray, beta: float, data):
    labels = np.array(data.draw(st.lists(st.booleans(), min_size=len(q), max_size=len(q))))
    sums = [float(np.sum(q[list(window)], dtype=np.float64)) for window in windows(len(q), beta)]
    seen = set(windows(len(q), beta)[int(np.argmax(sums))])  # half floats add up exactly
    old = set(np.flatnonzero(labels))
    expected = old & seen if old & seen else old | seen
    assert set(np.flatnonzero(refined(labels, q, beta=beta))) == expected
    assert expected, "a video never loses all its labels"
