import numpy as np
import pytest

from export.dakd.features import JudgedClip
from tests.export.dakd.toy import toy

torch = pytest.importorskip("torch")
judge_room = pytest.importorskip("export.dakd.judge")
network_room = pytest.importorskip("export.dakd.network")
live_scores, whole_scores = judge_room.live_scores, judge_room.whole_scores
judge, spread = judge_room.judge, judge_room.spread

FEATURES = toy(test=4)
SIZES = {"hidden": 16, "attention_heads": 2, "reach": 3}


def network(window: int | None):
    spec = network_room.NetworkSpec(FEATURES.widths, window=window, **SIZES)
    return network_room.make_network(spec, seed=0).eval()


@pytest.mark.parametrize("window", [1, 4, 12, 32])
def test_a_causal_network_scores_a_stream_as_it_scores_the_video(window: int):
    views = FEATURES.test["t0"].views
    np.testing.assert_allclose(
        live_scores(network(window), views, window=window),
        whole_scores(network(window), views),
        atol=1e-5,
    )


@pytest.mark.parametrize("window", [1, 4, 12, 32])
def test_live_a_score_is_the_newest_of_its_window(window: int, monkeypatch):
    monkeypatch.setattr(judge_room, "AT_ONCE", 3)
    both_ways, views = network(None), FEATURES.test["t0"].views
    live = live_scores(both_ways, views, window=window)
    for end in range(12):
        seen = tuple(view[max(end + 1 - window, 0) : end + 1] for view in views)
        assert live[end] == pytest.approx(whole_scores(both_ways, seen)[-1], abs=1e-5)


@pytest.mark.parametrize("frames", [10, 12, 15])
def test_live_a_frame_knows_segments_that_have_ended(frames: int):
    """The last one too, whether the clip breaks it off or goes on after it."""
    clip = JudgedClip((), np.zeros(frames, bool), np.array([0, 4, 8]))
    scores = np.array([0.1, 0.2, 0.3], np.float32)
    whole, live = spread(clip, scores, ended=False), spread(clip, scores, ended=True)
    np.testing.assert_allclose(whole.scores, [0.1] * 4 + [0.2] * 4 + [0.3] * (frames - 8))
    end = min(11, frames - 1)  # of the last segment
    known = [0] * 3 + [0.1] * 4 + [0.2] * (end - 7) + [0.3] * (frames - end)
    np.testing.assert_allclose(live.scores, known)


def test_figures_that_are_not_defined_are_null():
    normal = toy(test=1)
    clip = normal.test["t0"]
    unlabelled = {"t0": JudgedClip(clip.views, np.zeros_like(clip.labels), clip.starts)}
    object.__setattr__(normal, "test", unlabelled)
    assert judge(network(None), normal, window=4).as_json() == {"whole": None, "live": None}


def test_both_figures_are_told():
    figures = judge(network(None), FEATURES, window=4).as_json()
    assert set(figures) == {"whole", "live"}
    assert all(0 <= value <= 1 for value in figures.values())
