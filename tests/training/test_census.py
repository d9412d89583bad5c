import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.analysis import LearningPlan, Pupil
from edge.domain.features import Features
from edge.errors import StorageError
from edge.features import kinematics
from edge.scoring.model import ScoringOptions
from edge.training.census import DAY_S, FILE, FORGET_S, Census, classes_of, objects_seen
from edge.training.clip import ClipTable, StoredClip
from edge.training.store import FeatureStore
from tests.fakes.percepts import percept

LABELS = ("person", "bicycle", "car")
PERSON, BICYCLE, CAR = range(3)
MONTH_S = 30 * DAY_S
pairs = st.lists(st.tuples(st.integers(1, 9), st.integers(-1, 3)), max_size=40)


def clip(rows, *, begin_s=1000.0, camera="door"):
    """A clip of ten seconds; ``rows`` are (track, class), as if all of one frame."""
    track_id = np.array([track for track, _ in rows], np.int64)
    class_id = np.array([number for _, number in rows], np.int32)
    count = len(rows)
    features = Features(
        kinematics.SPEC,
        track_id,
        class_id,
        np.zeros((count, 4), np.float32),
        np.zeros((count, len(kinematics.SPEC)), np.float32),
    )
    table = ClipTable(np.zeros(count, np.intp), features)
    times = np.array([begin_s, begin_s + 10])
    return StoredClip(camera, 64, 48, times, np.zeros(2, np.float32), (table,))


def seen(folder, cameras=("door",), since_s=0.0):
    return objects_seen(folder, cameras, since_s=since_s)


@pytest.fixture
def census(tmp_path):
    return Census(tmp_path, max_age_s=MONTH_S)


def test_an_object_counts_once_however_many_frames_and_clips_show_it(census, tmp_path):
    census.add(clip([(1, PERSON)] * 50 + [(2, CAR)] * 3), LABELS)
    census.add(clip([(2, CAR)] * 7 + [(3, PERSON)], begin_s=1010.0), LABELS)
    assert seen(tmp_path) == {"person": 2, "car": 1}


def test_it_counts_as_what_it_was_called_most_often(census, tmp_path):
    census.add(clip([(1, CAR), (1, BICYCLE), (1, PERSON), (1, BICYCLE)]), LABELS)
    assert seen(tmp_path) == {"bicycle": 1}


@given(pairs)
def test_every_track_has_one_class_and_no_other_was_more_frequent(rows):
    table = clip(rows).tables[0].features
    tracks, classes = classes_of(table.track_id, table.class_id)
    assert tracks.tolist() == sorted({track for track, _ in rows})
    for track, number in zip(tracks.tolist(), classes.tolist(), strict=True):
        called = Counter(each for own, each in rows if own == track)
        assert called[number] == max(called.values())


@settings(max_examples=25)  # each clip waits for the disk
@given(st.lists(pairs, max_size=4))
def test_all_objects_are_counted_in_one_class_or_another(tmp_path_factory, clips):
    folder = tmp_path_factory.mktemp("store")
    census = Census(folder, max_age_s=MONTH_S)
    for number, rows in enumerate(clips):
        census.add(clip(rows, begin_s=1000.0 + 10 * number), LABELS)
    assert seen(folder).total() == len({track for rows in clips for track, _ in rows})


def test_what_was_counted_is_there_after_a_restart_and_new_tracks_are_new_objects(tmp_path):
    for _ in range(2):  # of processes: each numbers its tracks from one
        Census(tmp_path, max_age_s=MONTH_S).add(clip([(1, PERSON)]), LABELS)
    assert seen(tmp_path) == {"person": 2}


def test_a_track_that_was_away_for_long_is_forgotten(census):
    census.add(clip([(1, PERSON)]), LABELS)
    census.add(clip([(2, PERSON)], begin_s=1011.0 + FORGET_S), LABELS)
    assert census._known["door"].keys() == {2}


def test_cameras_are_counted_apart_and_asked_for_together(census, tmp_path):
    census.add(clip([(1, PERSON)]), LABELS)
    census.add(clip([(1, CAR)], camera="yard"), LABELS)
    assert seen(tmp_path, ["yard"]) == {"car": 1}
    assert seen(tmp_path, ["door", "yard", "cellar"]) == {"person": 1, "car": 1}


def test_days_that_are_too_old_are_no_longer_counted(census, tmp_path):
    census.add(clip([(1, PERSON)]), LABELS)
    later_s = 1000.0 + MONTH_S + DAY_S
    assert seen(tmp_path, since_s=later_s - MONTH_S) == {}  # also of a camera that sees no more
    census.add(clip([(2, CAR)], begin_s=later_s), LABELS)
    assert seen(tmp_path) == {"car": 1}


@pytest.mark.parametrize("labels", [(), ("object",)])
def test_what_has_no_name_is_an_object(census, tmp_path, labels):
    census.add(clip([(1, 0), (2, -1), (3, 7)]), labels)
    assert seen(tmp_path) == {"object": 3}


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"[]", b"\xff", b'{"format": "vad-edge-census-9", "days": {}}'),
        *(b'{"format": "vad-edge-census-1", "days": %s}' % each for each in (b"3", b'{"0": 3}')),
        b'{"format": "vad-edge-census-1", "days": {"0": {"person": -1}}}',
    ],
)
def test_a_damaged_file_is_named_and_begun_anew(tmp_path, caplog, content):
    (tmp_path / "door").mkdir()
    (tmp_path / "door" / FILE).write_bytes(content)
    assert seen(tmp_path) == {}
    assert "counted anew" in caplog.text
    Census(tmp_path, max_age_s=MONTH_S).add(clip([(1, PERSON)]), LABELS)
    assert seen(tmp_path) == {"person": 1}


def test_what_the_disk_refused_is_written_with_the_next_clip(census, tmp_path):
    (tmp_path / "door").write_bytes(b"a file where the folder should be")
    with pytest.raises(StorageError):
        census.add(clip([(1, PERSON)]), LABELS)
    (tmp_path / "door").unlink()
    census.add(clip([(1, PERSON), (2, CAR)]), LABELS)
    assert seen(tmp_path) == {"person": 1, "car": 1}


PLAN = LearningPlan(period_s=1e9, alarms_per_day=2.0, options=ScoringOptions())


def watch(folder, frames=40):
    """Have a camera's frames stored, to the end."""
    store = FeatureStore(folder, max_age_s=1e12, max_bytes=10**9)
    store.start()
    pupil = Pupil("door", PLAN, labels=LABELS, keeper=store)
    for index in range(frames):
        pupil.watch(percept(index))
    store.close()


def test_the_store_counts_what_the_cameras_follow(tmp_path):
    people = set(percept(0).tracks.track_id.tolist())
    watch(tmp_path)
    assert seen(tmp_path) == {"person": len(people)}


def test_a_store_from_before_opens_and_counts_from_now_on(tmp_path):
    watch(tmp_path)
    before = sorted(path.name for path in (tmp_path / "door").iterdir())
    (tmp_path / "door" / FILE).unlink()
    assert seen(tmp_path) == {}
    watch(tmp_path)
    assert seen(tmp_path).total() > 0
    assert sorted(path.name for path in (tmp_path / "door").iterdir()) == before


def test_the_file_holds_counts_alone(census, tmp_path):
    census.add(clip([(1, PERSON)], begin_s=5 * DAY_S + 77), LABELS)
    content = json.loads((tmp_path / "door" / FILE).read_bytes())
    assert content == {"format": "vad-edge-census-1", "days": {"5": {"person": 1}}}
