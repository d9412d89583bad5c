from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aggregator.simulate.scene_statistics import NO_CLASSES
from aggregator.simulate.tracks_weak import WeakTracks
from edge.domain.segment import SCENE_SEGMENT_FRAMES
from edge.errors import DatasetError


@pytest.fixture
def scenario(tracks: Path) -> WeakTracks:
    return WeakTracks.read(tracks)


def test_names_and_frame_labels_say_what_is_abnormal(scenario: WeakTracks):
    assert {name: video.abnormal for name, video in scenario.videos.items()} == {
        "01_000": False,
        "01_001": False,
        "01_0001": True,
        "02_000": False,
        "02_001": False,
        "02_0001": True,  # no labels: as all such clips of the list
    }
    assert sorted(scenario.tests) == ["01_0002", "01_002", "02_002"]
    assert scenario.left_out == ("02_0002: no frame labels", NO_CLASSES)
    assert not scenario.tests["01_002"].labels.any()


def test_training_segments_lie_apart_and_test_segments_slide(scenario: WeakTracks):
    clip = scenario.tests["01_0002"]
    assert len(scenario.videos["01_000"].values) == 240 // 3 // SCENE_SEGMENT_FRAMES
    assert len(clip.values) == 80
    np.testing.assert_array_equal(clip.known, np.arange(240) // 3)  # never ahead of the frame
    assert (clip.within >= clip.known).all()
    assert (clip.within - clip.known < SCENE_SEGMENT_FRAMES).all()


def test_labels_are_hidden_but_for_a_share_of_the_participants(scenario: WeakTracks):
    for share, told in ((0.0, 0), (0.5, 1), (1.0, 2)):
        problem = scenario.problem(seed=3, labelled_share=share)
        knowing = [all(v.abnormal is not None for v in p.videos) for p in problem.participants]
        hidden = [all(v.abnormal is None for v in p.videos) for p in problem.participants]
        assert sum(knowing) == told
        assert sum(hidden) == len(hidden) - told


def test_participants_are_cameras_or_as_asked_for(scenario: WeakTracks):
    def names(owners):
        problem = replace(scenario, owners=owners).problem(seed=0, labelled_share=0)
        return [each.name for each in problem.participants], problem.bench.at_home

    assert names(None) == (["01", "02"], True)
    assert names(3) == (["0", "1", "2"], False)
    assert names({"both": [*scenario.videos, *scenario.tests]}) == (["both"], True)


def test_a_list_of_other_clips_is_refused(tracks: Path):
    (tracks / "ws_test.txt").write_text("99_001")
    with pytest.raises(DatasetError, match=r"ws_test\.txt: names no clip"):
        WeakTracks.read(tracks)
    (tracks / "ws_test.txt").unlink()
    with pytest.raises(DatasetError, match=r"ws_test\.txt: cannot be read"):
        WeakTracks.read(tracks)


def test_the_servers_clips_teach_nobody_and_keep_their_labels(tracks: Path):
    owners = {"server": ["01_001", "01_0001"], "other": ["01_000", "01_0002", "02_000"]}
    scenario = WeakTracks.read(tracks, owners=owners, public="server")
    problem = scenario.problem(seed=0, labelled_share=0)
    assert [each.name for each in problem.participants] == ["other"]
    public = {video.name: video.abnormal for video in scenario.public().videos}
    assert public == {"01_001": False, "01_0001": True}
    assert public.keys().isdisjoint(video.name for video in problem.participants[0].videos)
    assert scenario.public().classes == problem.classes


def test_without_a_server_there_are_no_public_clips(scenario: WeakTracks):
    assert scenario.public() is None
