import numpy as np
import pytest

from edge.errors import TrainingError

pytest.importorskip("sklearn")
labelling = pytest.importorskip("edge.training.labelling")
Labeller, LabelOptions = labelling.Labeller, labelling.LabelOptions

WIDTH, SEGMENTS = 6, 40
ODD = slice(20, 26)


def videos(normal: int = 18, odd: int = 6) -> list[np.ndarray]:
    """Normal footage wanders along two directions; odd segments leave it in every direction."""
    rng = np.random.default_rng(0)
    made = []
    for index in range(normal + odd):
        video = 0.05 * rng.standard_normal((SEGMENTS, WIDTH))
        video[:, :2] += rng.standard_normal((SEGMENTS, 2))
        if index >= normal:
            video[ODD] += 6 * rng.choice([-1, 1], (6, WIDTH)) * rng.random((6, WIDTH))
        made.append(video.astype(np.float32))
    return made


def options(**changes) -> object:
    return LabelOptions(**{"kind": "embedding", **changes})


@pytest.mark.parametrize("p_value", ["density", "tail"])
def test_odd_videos_and_their_odd_segments_are_found_without_labels(p_value: str):
    labeller = Labeller(videos(), options(p_value=p_value, beta=0.15))
    found = labeller.videos(seed=0)
    np.testing.assert_array_equal(found.anomalous, np.arange(24) >= 18)
    assert found.report == labelling.LabelReport(24, 0, 6, 0, "")
    labels = labeller.segments(found.anomalous, [labeller.statistics(found.anomalous)])
    assert not any(label.any() for label in labels[:18])
    for label in labels[18:]:
        assert label[ODD].sum() >= 5
        assert label.sum() == 6


def test_short_videos_are_normal_and_counted():
    short = [np.ones((m, WIDTH), np.float32) * 50 for m in (0, 1, 2)]
    found = Labeller([*videos(), *short], options()).videos(seed=0)
    assert not found.anomalous[-3:].any()
    assert found.report.too_short == 3
    assert found.report.anomalous == 6


def test_where_nothing_can_be_told_apart_everything_is_normal_and_the_report_says_why():
    few = Labeller(videos(2, 1), options()).videos(seed=0)
    assert not few.anomalous.any()
    assert "3 videos" in few.report.undecided
    still = Labeller([np.ones((5, WIDTH), np.float32)] * 6, options()).videos(seed=0)
    assert not still.anomalous.any()
    assert "do not differ" in still.report.undecided


def test_people_have_the_last_word():
    labeller = Labeller(videos(), options())
    known = np.full(24, -1, np.int8)
    known[[0, 20]] = 1, 0
    found = labeller.videos(known, seed=0)
    assert found.anomalous[0]
    assert not found.anomalous[20]
    assert (found.report.known, found.report.anomalous) == (2, 6)


def test_normal_footage_alone_is_what_leaves():
    labeller = Labeller(videos(3, 1), options())
    all_normal = labeller.statistics(np.zeros(4, np.bool_))
    without_odd = labeller.statistics(np.array([False, False, False, True]))
    assert (all_normal.num_segments, without_odd.num_segments) == (160, 120)
    assert without_odd.variance < all_normal.variance
    assert labeller.statistics(np.ones(4, np.bool_)) is None


def test_refinement_leaves_normal_videos_alone():
    labeller = Labeller(videos(2, 1), options(beta_refine=0.1))
    anomalous = np.array([False, False, True])
    labels = [np.zeros(SEGMENTS, np.bool_) for _ in range(3)]
    labels[2][18:24] = True
    scores = [np.linspace(0, 1, SEGMENTS, dtype=np.float32) for _ in range(3)]
    scores[2] = np.zeros(SEGMENTS, np.float32)
    scores[2][22:26] = 1
    after = labeller.refine(anomalous, labels, scores)
    assert not after[0].any()
    assert list(np.flatnonzero(after[2])) == [22, 23]


def test_there_must_be_footage():
    with pytest.raises(TrainingError, match="no segment"):
        Labeller([np.zeros((0, WIDTH), np.float32)], options())
