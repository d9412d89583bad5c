import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.analysis import SPECS
from edge.errors import NotLearntError
from edge.features import kinematics, scene_segment
from edge.training import material, store
from edge.training.clip import StoredClip
from edge.training.clip_file import load_clip as load
from edge.training.material import Material, deal
from edge.training.store import FeatureStore
from tests.fakes.footage import feed

FRAMES = 80  # of a clip
RAISED, QUIET = 9.0, 0.5
THRESHOLD = 5.0


def clip(begin_s: float, score: float) -> StoredClip:
    return StoredClip("door", 64, 48, np.array([begin_s]), np.array([score], np.float32), ())


class EvenStore(FeatureStore):
    clip_frames = FRAMES

    def _length(self, camera):
        return self.clip_frames


def stored(folder, *scores, frames=FRAMES):
    """One clip for each score."""
    store = EvenStore(folder, max_age_s=1e12, max_bytes=10**9, now_s=lambda: 2000.0)
    store.clip_frames = frames
    store.start()
    for number, score in enumerate(scores):
        feed(store, frames, start=number * frames, score=score)
    store.close()
    return folder


@given(st.lists(st.sampled_from([RAISED, QUIET, float("nan")]), max_size=40))
def test_who_judges_is_quiet_and_later_than_all_that_teaches(scores):
    clips = [clip(float(number), score) for number, score in enumerate(scores)]
    quiet = {number for number, score in enumerate(scores) if score != RAISED}
    if len(quiet) < material.FEWEST_CLIPS:
        with pytest.raises(NotLearntError, match="camera door"):
            deal(clips, camera="door", threshold=THRESHOLD)
        return
    dealt = deal(clips, camera="door", threshold=THRESHOLD)
    assert len(dealt.held_out) == max(1, round(0.2 * len(quiet)))
    assert set(dealt.held_out) <= quiet
    assert dealt.quiet == quiet.intersection(dealt.taught)
    assert max(dealt.taught, default=-1) < min(dealt.held_out)
    assert not quiet - dealt.quiet - set(dealt.held_out)


def test_frames_that_scored_like_an_alarm_do_not_teach(tmp_path):
    loud = Material(stored(tmp_path, QUIET, RAISED, QUIET, QUIET), "door", threshold=THRESHOLD)
    calm = Material(tmp_path, "door", threshold=RAISED + 1)
    assert len(loud.dealt.taught) == len(calm.dealt.taught) == 3
    one = len(calm.rows(kinematics.SPEC).values) / 3  # the first clip, the second, the third
    assert len(loud.rows(kinematics.SPEC).values) == pytest.approx(2 * one, abs=2)


def test_a_camera_that_still_learns_teaches_all_it_saw(tmp_path):
    found = Material(stored(tmp_path, None, None), "door", threshold=THRESHOLD)
    values = found.standardised(kinematics.SPEC)
    assert values.shape == (len(found.rows(kinematics.SPEC).values), len(kinematics.SPEC))
    assert abs(np.median(values, axis=0)).max() < 1e-5


def test_what_ended_later_is_left_for_the_next_time(tmp_path):
    folder = stored(tmp_path, *[QUIET] * 10)
    early = Material(folder, "door", threshold=THRESHOLD, until_s=1000 + 4.5 * FRAMES / 5)
    assert len(early.dealt.taught) + len(early.dealt.held_out) == 4


def test_of_too_many_rows_whole_clips_go_evenly(tmp_path, monkeypatch):
    found = Material(stored(tmp_path, *[QUIET] * 9), "door", threshold=THRESHOLD)
    everything = len(found.rows(kinematics.SPEC).values)
    monkeypatch.setattr(material, "MAX_ROWS", everything // 2)
    some = len(found.rows(kinematics.SPEC).values)
    assert everything // 4 < some <= everything // 2


def test_calibration_sees_quiet_clips_alone_and_trial_the_latest(tmp_path, monkeypatch):
    found = Material(
        stored(tmp_path, QUIET, RAISED, QUIET, QUIET, QUIET), "door", threshold=THRESHOLD
    )
    assert len(found.footage(SPECS).time_s) == 3 * FRAMES
    (judge,) = found.held_out(SPECS)
    assert judge.time_s[0] == 1000 + 4 * FRAMES / 5
    monkeypatch.setattr(material, "MAX_CLIPS", 2)
    assert len(found.footage(SPECS).time_s) == 2 * FRAMES


def test_of_many_clips_those_that_are_wanted_are_read_alone(tmp_path, monkeypatch):
    found = Material(stored(tmp_path, *[QUIET] * 10), "door", threshold=THRESHOLD)
    read = []
    monkeypatch.setattr(
        store, "load_clip", lambda path, specs: read.append(path) or load(path, specs)
    )
    begins = [clip.time_s[0] for clip in found.held_out(SPECS)]
    assert begins == list(found.dealt.held_out)
    assert len(read) == len(begins) == 2
    monkeypatch.setattr(material, "MAX_CLIPS", 3)
    found.footage(SPECS)
    assert len(read) == 2 + 3


def test_a_clip_that_is_gone_meanwhile_is_passed_over(tmp_path):
    found = Material(stored(tmp_path, *[QUIET] * 10), "door", threshold=THRESHOLD)
    everything = len(found.rows(kinematics.SPEC).values)
    min((tmp_path / "door").iterdir()).unlink()
    assert 0 < len(found.rows(kinematics.SPEC).values) < everything


def test_videos_are_the_clips_standardised_together(tmp_path):
    found = Material(stored(tmp_path, *[QUIET] * 14), "door", threshold=THRESHOLD)
    videos = found.videos()
    width = sum(map(len, scene_segment.SPECS))
    assert [video.shape for video in videos] == [(FRAMES // 16, width)] * 11
    assert abs(np.median(np.concatenate(videos), axis=0)).max() < 1e-5


def test_footage_that_shows_nobody_is_too_little(tmp_path):
    found = Material(stored(tmp_path, QUIET, QUIET, frames=16), "door", threshold=THRESHOLD)
    with pytest.raises(NotLearntError, match="rows of kinematics"):
        found.rows(kinematics.SPEC)
    with pytest.raises(NotLearntError, match="scene segments"):
        found.videos()
