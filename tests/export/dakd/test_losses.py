import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

torch = pytest.importorskip("torch")
losses = pytest.importorskip("export.dakd.losses")
contrast, mil_ranking, soft_labels = losses.contrast, losses.mil_ranking, losses.soft_labels

PROBABILITY = st.floats(0, 1, width=32)


def videos(draw, length: int = 7):
    """Scores (4, L), counted, abnormal: two of each class, some shorter."""
    scores = draw(arrays(np.float32, (4, length), elements=PROBABILITY))
    real = draw(st.lists(st.integers(1, length), min_size=4, max_size=4))
    counted = (np.arange(length) < np.array(real)[:, None]).astype(np.float32)
    return *map(torch.from_numpy, (scores, counted)), torch.tensor([True, False, True, False])


seen = st.composite(videos)()


def mil_by_hand(scores, counted, abnormal, sparsity, smoothness) -> float:
    kept = [s[c == 1].numpy() for s, c in zip(scores, counted, strict=True)]
    odd = [s for s, a in zip(kept, abnormal, strict=True) if a]
    usual = [s for s, a in zip(kept, abnormal, strict=True) if not a]
    hinge = np.mean([max(0.0, 1 - o.max() + u.max()) for o in odd for u in usual])
    uneven = np.mean([np.square(np.diff(o)).sum() for o in odd])
    return float(hinge + smoothness * uneven + sparsity * np.mean([o.sum() for o in odd]))


@given(seen, st.floats(0, 1), st.floats(0, 1))
def test_mil_ranking_is_what_it_says(videos, sparsity: float, smoothness: float):
    got = mil_ranking(*videos, sparsity=sparsity, smoothness=smoothness)
    assert float(got) == pytest.approx(mil_by_hand(*videos, sparsity, smoothness), abs=1e-4)


@given(seen)
def test_padding_is_no_part_of_mil_ranking(videos):
    scores, counted, abnormal = videos
    filled = scores.masked_fill(counted == 0, 0.99)
    one, other = (
        mil_ranking(each, counted, abnormal, sparsity=0.1, smoothness=0.1)
        for each in (scores, filled)
    )
    assert torch.equal(one, other)


@given(seen, st.integers(0, 4), st.booleans())
def test_soft_labels_are_in_0_to_1_and_nothing_is_strange_in_a_normal_video(
    videos, epsilon: int, min_max: bool
):
    scores, counted, abnormal = videos
    labels = soft_labels(scores, counted, abnormal, epsilon=epsilon, min_max=min_max)
    assert ((labels >= 0) & (labels <= 1)).all()
    assert (labels[~abnormal] == 0).all()
    assert (labels[counted == 0] == 0).all()


def moving_average(scores, epsilon: int):
    """Over what there is of 2 epsilon + 1 segments, in float64."""
    parts = [scores[max(0, k - epsilon) : k + epsilon + 1] for k in range(len(scores))]
    return np.array([part.mean(dtype=np.float64) for part in parts])


@given(seen, st.integers(0, 4))
@example((torch.eye(4, 7), torch.ones(4, 7), torch.tensor([True, False, True, False])), 1)
def test_the_strangest_segment_of_an_abnormal_video_has_label_1_the_least_strange_0(
    videos, epsilon: int
):
    """Unless all are nearly alike, which is another test's; between them order is kept."""
    scores, counted, abnormal = videos
    labels = soft_labels(scores, counted, abnormal, epsilon=epsilon, min_max=True)
    for row in abnormal.nonzero().flatten().tolist():
        real = counted[row] == 1
        smooth = moving_average(scores[row][real].numpy(), epsilon)
        span = np.ptp(smooth)
        if span > 1e-3:
            expected = (smooth - smooth.min()) / span
            assert (labels[row].max(), labels[row][real].min()) == (1, 0)
            np.testing.assert_allclose(labels[row][real], expected, atol=1e-3)


@given(PROBABILITY, st.integers(0, 4), st.integers(1, 7))
def test_a_constant_video_gets_zeros(value: float, epsilon: int, real: int):
    counted = (torch.arange(7) < real).float().unsqueeze(0)
    labels = soft_labels(
        torch.full((1, 7), value), counted, torch.tensor([True]), epsilon=epsilon, min_max=True
    )
    assert (labels == 0).all()


def test_labels_are_moving_averages_over_what_is_there():
    scores, counted = torch.tensor([[0.0, 0.0, 0.6, 0.9, 0.9]]), torch.tensor([[1.0, 1, 1, 1, 0]])
    rough = soft_labels(scores, counted, torch.tensor([True]), epsilon=1, min_max=False)
    np.testing.assert_allclose(rough, [[0.0, 0.2, 0.5, 0.75, 0.0]], atol=1e-6)
    scaled = soft_labels(scores, counted, torch.tensor([True]), epsilon=1, min_max=True)
    np.testing.assert_allclose(scaled, np.array([[0.0, 0.2, 0.5, 0.75, 0.0]]) / 0.75, atol=1e-6)
    plain = soft_labels(scores, counted, torch.tensor([True]), epsilon=0, min_max=False)
    np.testing.assert_allclose(plain, scores * counted)


def features(seed: int = 0, count: int = 8, width: int = 5):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.standard_normal((count, width)).astype(np.float32))


ODD = torch.tensor([True, True, True, False, False, False, False, False])


def contrast_by_hand(teacher, student, odd, tau: float) -> float:
    """Eq. 7, one fraction at a time."""

    def sim(one, other):
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    total = 0.0
    for value in (True, False):
        terms = []
        for i in np.flatnonzero(odd == value):
            agreed = np.exp(sim(teacher[i], student[i]) / tau)
            others = [
                np.exp(sim(teacher[i], student[k]) / tau) for k in np.flatnonzero(odd != value)
            ]
            terms.append(-np.log(agreed / (sum(others) + agreed)))
        total += np.mean(terms)
    return total


@pytest.mark.parametrize("tau", [0.1, 1.0, 10.0])
def test_contrast_is_what_the_equation_says(tau: float):
    teacher, student = features(0), features(1)
    expected = contrast_by_hand(*(each.double().numpy() for each in (teacher, student)), ODD, tau)
    assert float(contrast(teacher, student, ODD, tau=tau)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("value", [True, False])
def test_contrast_is_0_where_a_class_is_empty(value: bool):
    assert contrast(features(0), features(1), torch.full((8,), value), tau=10.0) == 0


def test_contrast_is_lower_where_positives_agree():
    teacher = torch.where(ODD.unsqueeze(1), features(0) + 5, features(0) - 5)
    agreeing, crossed = (
        contrast(teacher, teacher, ODD, tau=1.0),
        contrast(teacher, -teacher, ODD, tau=1.0),
    )
    assert agreeing < contrast(teacher, features(1), ODD, tau=1.0) < crossed


def test_contrast_does_not_mind_lengths():
    one = contrast(features(0), features(1), ODD, tau=1.0)
    assert torch.allclose(one, contrast(3 * features(0), 7 * features(1), ODD, tau=1.0))
