import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.simulate.problem import OWN_AUC, Video
from aggregator.simulate.segments import Panel, SegmentBench, deal_clips, labelled_clip
from edge.errors import DatasetError


def clip(name: str, scores: list[float], labels: list[int]):
    values = np.array(scores, np.float32)[:, None]
    starts = np.arange(len(scores)) * 2
    return labelled_clip(name, values, np.array(labels, bool), starts)


def first_column(model, values):
    return values[:, 0] * model["w"]


@given(st.lists(st.floats(0, 9, width=32), min_size=1, max_size=9), st.integers(0, 8))
def test_a_causal_score_does_not_know_the_future(scores, change):
    labels = np.zeros(2 * len(scores), bool)
    starts = np.arange(len(scores)) * 2
    values = np.array(scores, np.float32)
    change = min(change, len(scores) - 1)
    other = values.copy()
    other[change] += 1
    spread = [
        labelled_clip("a", v[:, None], labels, starts).spread(v)[0].scores for v in (values, other)
    ]
    ended = 2 * change + 1  # the last frame of the segment that differs
    np.testing.assert_array_equal(spread[0][:ended], spread[1][:ended])
    assert spread[0].shape == labels.shape


def test_frames_have_the_latest_score_or_that_of_their_segment():
    causal, papers = clip("a", [1, 2, 3], [0] * 6).spread(np.array([1.0, 2, 3], np.float32))
    assert causal.scores.tolist() == [0, 0, 1, 1, 2, 3]
    assert papers.scores.tolist() == [1, 1, 2, 2, 3, 3]


def test_clips_at_home_are_pooled_and_others_averaged_over_participants():
    clips = (clip("a", [0, 1], [0, 0, 1, 1]), clip("b", [5, 6], [0, 0, 0, 1]))
    models = {"p": {"w": np.float32(1)}, "q": {"w": np.float32(-1)}}
    at_home = SegmentBench((Panel("p", clips[:1]), Panel("q", clips[1:])), at_home=True)
    pooled = at_home.figures(models, first_column)
    # causal scores: 0 0 0 1 at p, whose last two are abnormal; 0 0 -5 -6 at q, whose last one is
    assert pooled["auc_micro_causal"] == pytest.approx(8 / 15)
    assert pooled["auc_participants_causal"] == pytest.approx((0.75 + 0) / 2)
    assert pooled["auc_micro_segment"] == pytest.approx(10.5 / 15)
    everywhere = SegmentBench((Panel("p", clips), Panel("q", clips)), at_home=False)
    figures = everywhere.figures(models, first_column)
    each = [
        SegmentBench((Panel(name, clips),), at_home=True).figures(models, first_column)
        for name in models
    ]
    for name, value in figures.items():
        if name.startswith(OWN_AUC):  # that of its own model over everybody's clips
            of = list(models).index(name.removeprefix(OWN_AUC))
            assert value == each[of]["auc_micro_causal"]
        else:
            assert value == pytest.approx((each[0][name] + each[1][name]) / 2)


def test_a_model_that_all_share_scores_a_clip_once():
    calls = []

    def counted(model, values):
        calls.append(1)
        return values[:, 0]

    clips = (clip("a", [0, 1], [0, 0, 1, 1]),)
    bench = SegmentBench((Panel("p", clips), Panel("q", clips)), at_home=False)
    shared = {"w": np.float32(1)}
    bench.figures({"p": shared, "q": shared}, counted)
    assert len(calls) == 1


def test_energies_are_comparable_after_each_panel_has_calibrated_them():
    normal = np.random.default_rng(0).exponential(size=(400, 1)).astype(np.float32)
    clips = (clip("a", [0, 9], [0, 0, 1, 1]),)
    bench = SegmentBench((Panel("p", clips, normal), Panel("q", clips, normal)), at_home=True)
    alike = {"w": np.float32(1)}
    same = bench.figures({"p": alike, "q": alike}, first_column)
    scaled = bench.figures({"p": alike, "q": {"w": np.float32(1000)}}, first_column)
    assert scaled == pytest.approx(same)


def test_a_deal_prepares_each_participant_by_its_own_rows():
    videos = {name: Video(name, np.full((2, 1), k, np.float32)) for k, name in enumerate("ab")}
    tests = {"t": clip("t", [3], [0, 1])}

    def prepare(rows):
        return lambda values: values - rows.mean()

    owners = {"p": ["a", "t"], "q": ["b"], "idle": ["ghost"]}
    participants, panels, at_home = deal_clips(videos, tests, owners, prepare)
    assert [each.name for each in participants] == ["p", "q"]
    assert all((video.values == 0).all() for each in participants for video in each.videos)
    assert at_home
    assert [len(panel.clips) for panel in panels] == [1, 0]
    homeless, panels, at_home = deal_clips(videos, tests, {"p": ["a"], "q": ["b"]}, prepare)
    assert len(homeless) == 2
    assert not at_home
    assert [panel.clips[0].values.item() for panel in panels] == [3, 2]


def test_a_split_that_fits_nothing_is_refused():
    videos = {"a": Video("a", np.zeros((2, 1), np.float32))}
    tests = {"t": clip("t", [3], [0, 1])}
    with pytest.raises(DatasetError, match="check the split"):
        deal_clips(videos, tests, {"p": ["a"], "q": ["t"]})
