import cv2
import numpy as np
import pytest

from edge.alerts.snapshot import SnapshotStore, ascii_text, draw
from edge.domain.frame import Frame
from edge.errors import StorageError
from tests.fakes.scores import event

GREY = np.full((360, 640, 3), 128, np.uint8)
FRAME = Frame.from_bgr(GREY, camera="door", index=0, time_s=0, received_s=0)


def test_text_is_what_the_font_can_draw():
    assert ascii_text("speed 4.1, usual ≤ 1.6 – é") == "speed 4.1, usual <= 1.6 - ?"


def test_the_box_is_drawn_where_it_is_and_the_picture_is_left_alone():
    drawn = draw(GREY, event())
    assert (GREY == 128).all()
    assert tuple(drawn[150, 100]) == tuple(drawn[200, 120]) == (48, 48, 230)
    assert (drawn[110:190, 110:130] == 128).all()
    assert (drawn[:40] != 128).any()


def test_the_box_follows_the_size_of_the_picture():
    drawn = draw(np.full((720, 1280, 3), 128, np.uint8), event())
    assert tuple(drawn[300, 200]) == (48, 48, 230)


def test_a_long_reason_stays_inside_the_picture():
    drawn = draw(GREY, event(reason="very unusual " * 30))
    assert (drawn[:60, :300] != 128).any()
    assert (drawn[60:, 300:] == 128).all()


def test_a_snapshot_is_a_jpeg_named_after_its_event_without_metadata(tmp_path):
    name, jpeg = SnapshotStore(tmp_path / "new").save(FRAME, event(), now_s=1000.0)
    path = tmp_path / "new" / name
    assert name == f"{event().id}.jpg"
    assert path.read_bytes() == jpeg
    assert cv2.imread(str(path)).shape == (360, 640, 3)
    assert b"Exif" not in jpeg
    assert b"\xff\xfe" not in jpeg[: jpeg.index(b"\xff\xda")]  # no comment segment
    assert [p.name for p in path.parent.iterdir()] == [name]


def test_the_folder_stays_within_its_size_and_the_oldest_go(tmp_path):
    size = len(SnapshotStore(tmp_path).save(FRAME, event(0.0), now_s=0)[1])
    store = SnapshotStore(tmp_path, max_bytes=int(3.5 * size))
    for n in range(10):
        store.save(FRAME, event(float(n)), now_s=float(n))
        assert sum(p.stat().st_size for p in tmp_path.iterdir()) <= 3.5 * size
    kept = sorted(p.name for p in tmp_path.iterdir())
    assert kept == [f"{event(float(n)).id}.jpg" for n in (7, 8, 9)]


def test_what_is_too_old_goes(tmp_path):
    store = SnapshotStore(tmp_path, max_age_s=100.0)
    store.save(FRAME, event(0.0), now_s=0.0)
    store.save(FRAME, event(90.0), now_s=90.0)
    store.prune(now_s=120.0)
    assert [p.name for p in tmp_path.iterdir()] == [f"{event(90.0).id}.jpg"]


def test_a_replaced_snapshot_counts_once(tmp_path):
    store = SnapshotStore(tmp_path)
    for n in range(5):
        store.save(FRAME, event(), now_s=float(n))
        store.save(FRAME, event(1.0 + n), now_s=float(n))
    assert store._total_bytes == sum(p.stat().st_size for p in tmp_path.iterdir())


def test_a_restart_knows_what_is_there_and_clears_half_written_files(tmp_path):
    SnapshotStore(tmp_path).save(FRAME, event(), now_s=0.0)
    (tmp_path / "x.jpg.part").write_bytes(b"half")
    store = SnapshotStore(tmp_path, max_age_s=0.0)
    store.prune(now_s=1e12)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named_and_counted(tmp_path):
    (tmp_path / "file").write_text("no folder")
    store = SnapshotStore(tmp_path / "file" / "snapshots")
    with pytest.raises(StorageError, match="goes out without it"):
        store.save(FRAME, event(), now_s=0.0)
    assert store.failed == 1
