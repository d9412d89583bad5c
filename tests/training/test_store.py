import errno
import os
import threading

import numpy as np
import pytest

from edge.analysis import SPECS, STORED_SPECS, LearningPlan, Pupil
from edge.domain.features import Feature, FeatureSpec
from edge.scoring.learn import learn_camera
from edge.scoring.model import ScoringOptions
from edge.training import shelf, store
from edge.training.store import CLIP_SEGMENTS, ClipReader, FeatureStore, StoreFigures, footage_of
from tests.fakes.footage import HEIGHT, WIDTH, feed
from tests.fakes.percepts import percept

FOREVER = 1e12
FRAMES = CLIP_SEGMENTS * 16


class Patient(FeatureStore):
    """A store whose end is waited for, and whose clips all have the same length."""

    def _length(self, camera):
        return FRAMES


def opened(folder, *, max_age_s=FOREVER, max_bytes=10**9, now_s=2000.0, kind=Patient):
    keeper = kind(folder, max_age_s=max_age_s, max_bytes=max_bytes, now_s=lambda: now_s)
    keeper.start()
    return keeper


def stored(folder, frames, **options):
    """Feed one camera through a store, to its end."""
    kept = {k: options.pop(k) for k in ("max_age_s", "max_bytes", "now_s") if k in options}
    keeper = opened(folder, **kept)
    feed(keeper, frames, **options)
    keeper.close()
    return keeper


def clips(folder, camera="door", specs=STORED_SPECS):
    return list(ClipReader(folder, camera, specs))


def test_what_is_appended_is_read_back_in_order(tmp_path):
    keeper = stored(tmp_path, 2 * FRAMES + 40, score=1.5)
    found = clips(tmp_path)
    assert [len(clip.time_s) for clip in found] == [FRAMES, FRAMES, 40]
    times = np.concatenate([clip.time_s for clip in found])
    np.testing.assert_array_equal(times, 1000 + np.arange(2 * FRAMES + 40) / 5)
    assert [clip.top_score for clip in found] == [1.5] * 3
    assert keeper.counts == {"written": 3, "lost": 0}
    assert keeper.problem == ""


def test_figures_are_those_of_the_disk_and_of_an_earlier_process(tmp_path):
    keeper = stored(tmp_path, FRAMES)
    (path,) = (tmp_path / "door").glob("*.clip")
    assert keeper.figures("door") == StoreFigures(1, path.stat().st_size)
    again = stored(tmp_path, 0)
    assert again.figures("door") == keeper.figures("door")
    assert again.figures("yard") == StoreFigures(0, 0)


def test_cameras_are_kept_apart(tmp_path):
    keeper = opened(tmp_path)
    for index in range(20):
        for camera in ("door", "yard"):
            feed(keeper, 1, camera=camera, start=index)
    keeper.close()
    assert [clip.camera for clip in clips(tmp_path, "yard")] == ["yard"]
    assert len(clips(tmp_path, "door")[0].time_s) == 20


def test_a_hole_ends_a_clip_and_less_than_a_scene_segment_is_not_kept(tmp_path):
    keeper = opened(tmp_path)
    feed(keeper, 20)
    feed(keeper, 15, start=100)
    feed(keeper, 17, start=200)
    feed(keeper, 16, start=217, width=WIDTH + 2)
    keeper.close()
    assert [len(clip.time_s) for clip in clips(tmp_path)] == [20, 17, 16]
    assert [clip.width for clip in clips(tmp_path)] == [WIDTH, WIDTH, WIDTH + 2]


def test_cameras_that_begin_together_end_their_first_clips_apart(tmp_path):
    keeper = FeatureStore(tmp_path, max_age_s=1.0, max_bytes=1)
    first = {keeper._length(f"camera-{number}") for number in range(12)}
    assert len(first) > 6
    assert {keeper._length(f"camera-{number}") for number in range(12)} == {FRAMES}


def test_the_oldest_go_when_there_are_too_many_bytes(tmp_path):
    one = stored(tmp_path / "one", FRAMES).figures("door").bytes
    keeper = stored(tmp_path / "all", 5 * FRAMES, max_bytes=int(2.5 * one))
    found = clips(tmp_path / "all")
    assert [clip.time_s[0] for clip in found] == [1000 + n * FRAMES / 5 for n in (3, 4)]
    assert keeper.figures("door").clips == 2
    assert keeper.figures("door").bytes <= 2.5 * one


def test_what_an_earlier_process_left_counts_and_grows_old(tmp_path):
    stored(tmp_path, FRAMES)
    stored(tmp_path, FRAMES, start=FRAMES)
    second_begins_s = 1000 + FRAMES / 5
    stored(tmp_path, 0, max_age_s=50.0, now_s=second_begins_s + 49)
    assert [clip.time_s[0] for clip in clips(tmp_path)] == [second_begins_s]
    stored(tmp_path, 0, max_age_s=50.0, now_s=second_begins_s + 51, camera="yard")
    assert clips(tmp_path) == []  # also of a camera that is gone


def test_a_partial_file_is_swept_at_the_start_and_nothing_else_is(tmp_path):
    folder = tmp_path / "door"
    folder.mkdir()
    partial, note = folder / ".1.clip.77.partial", folder / "note.txt"
    partial.write_bytes(b"half")
    note.write_text("mine")
    keeper = stored(tmp_path, 0)
    assert not partial.exists()
    assert note.exists()
    assert keeper.figures("door") == StoreFigures()


@pytest.fixture
def disk(monkeypatch):
    """A disk that is full until the test clears it."""
    full, fsync = [True], os.fsync

    def write(descriptor):
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr("edge.atomic.os.fsync", write)
    return full


def test_a_full_disk_costs_the_clip_alone_and_is_told(tmp_path, disk, caplog):
    keeper = stored(tmp_path, 3 * FRAMES)
    assert keeper.counts == {"written": 0, "lost": 3}
    assert "No space left on device" in keeper.problem
    assert caplog.text.count("not kept for learning") == 1
    assert list((tmp_path / "door").iterdir()) == []


def test_it_goes_on_when_there_is_room_again(tmp_path, disk):
    keeper = Patient(tmp_path, max_age_s=FOREVER, max_bytes=10**9)
    feed(keeper, FRAMES)
    keeper._keep(keeper._waiting.get())
    assert keeper.problem
    disk.clear()
    feed(keeper, FRAMES, start=FRAMES)
    keeper._keep(keeper._waiting.get())
    assert keeper.counts == {"written": 1, "lost": 1}
    assert keeper.problem == ""


def test_a_folder_that_cannot_be_made_is_a_problem_and_no_crash(tmp_path):
    (tmp_path / "file").write_text("in the way")
    keeper = stored(tmp_path / "file", FRAMES)
    assert keeper.counts["lost"] == 1
    assert "cannot write" in keeper.problem


def test_a_disk_that_hangs_neither_holds_up_the_analysis_nor_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "WAITING_CLIPS", 2)
    monkeypatch.setattr(store, "CLOSE_S", 0.01)
    hanging = threading.Event()
    monkeypatch.setattr(shelf, "write_atomically", lambda *_: hanging.wait())
    keeper = opened(tmp_path)
    feed(keeper, 5 * FRAMES)
    keeper.close()
    assert keeper.counts["lost"] >= 2
    assert "wait for the disk" in keeper.problem
    hanging.set()
    monkeypatch.setattr(store, "CLOSE_S", 60.0)
    keeper.close()  # its writer must not outlive this test
    assert not keeper._writer.is_alive()


def test_a_damaged_clip_is_left_out_named_and_counted(tmp_path, caplog):
    stored(tmp_path, 3 * FRAMES)
    damaged = sorted((tmp_path / "door").iterdir())[1]
    damaged.write_bytes(damaged.read_bytes()[:-200])
    reader = ClipReader(tmp_path, "door")
    assert [clip.time_s[0] for clip in reader] == [1000, 1000 + 2 * FRAMES / 5]
    assert reader.skipped == 1
    assert str(damaged) in caplog.text


def test_clips_of_another_version_are_left_out_and_counted(tmp_path):
    stored(tmp_path, FRAMES)
    reader = ClipReader(tmp_path, "door", [FeatureSpec("gait", 9, (Feature("speed", ""),))])
    assert list(reader) == []
    assert reader.skipped == 1


def test_a_clip_that_grew_too_old_while_others_were_read_is_no_fault(tmp_path, monkeypatch):
    stored(tmp_path, FRAMES)
    gone = tmp_path / "door" / "0000000000000001.clip"
    paths = [gone, *shelf.clip_paths(tmp_path, "door")]
    monkeypatch.setattr(store, "clip_paths", lambda *_: paths)
    reader = ClipReader(tmp_path, "door")
    assert len(list(reader)) == 1
    assert reader.skipped == 0


PLAN = LearningPlan(period_s=1e9, alarms_per_day=2.0, options=ScoringOptions(size=50))


def test_a_camera_learns_the_same_from_the_store_as_from_what_it_saw(tmp_path):
    keeper = opened(tmp_path)
    pupil = Pupil("door", PLAN, keeper=keeper)
    for index in range(FRAMES + 64):
        pupil.watch(percept(index))
    keeper.close()
    seen, told = pupil._footage, footage_of(ClipReader(tmp_path, "door", SPECS))
    np.testing.assert_array_equal(told.time_s, seen.time_s)
    assert told.seconds == seen.seconds
    for ours, theirs in zip(told.tables(), seen.tables(), strict=True):
        assert ours.spec == theirs.spec
        for name in ("frame", "track_id", "place", "values"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    learnt = learn_camera(
        told, camera="door", alarms_per_day=2.0, created_s=0.0, options=PLAN.options
    )
    assert learnt.threshold == pupil.graduate().threshold


def test_a_clip_from_before_a_clock_was_set_back_is_no_footage_twice(tmp_path, caplog):
    stored(tmp_path, 40)
    stored(tmp_path, 40, start=30)
    footage = footage_of(ClipReader(tmp_path, "door", SPECS))
    assert len(footage.time_s) == 40
    assert "clock set back" in caplog.text


def test_height_and_width_come_with_the_clip(tmp_path):
    stored(tmp_path, 16)
    (clip,) = clips(tmp_path)
    assert (clip.width, clip.height) == (WIDTH, HEIGHT)
