import threading
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge.domain.frame import Frame
from edge.ingest.latest import Mailroom
from tests.fakes.sources import grey_planes


def frame(camera: str, time_s: float = 0.0) -> Frame:
    return Frame(camera, 0, time_s, 0.0, grey_planes())


@given(st.lists(st.booleans(), max_size=50))
def test_every_frame_is_taken_counted_or_waiting_and_numbers_have_no_gap(puts) -> None:
    room = Mailroom()
    box = room.add()
    taken = []
    for number, is_put in enumerate(puts):
        if is_put:
            box.put(frame("a", number))
        else:
            taken += room.take(limit=1, timeout_s=0)
    waiting = room.take(limit=1, timeout_s=0)
    assert sum(puts) == len(taken) + box.unread + len(waiting)
    assert [item.index for item in taken + waiting] == list(range(len(taken + waiting)))
    assert all(a.time_s < b.time_s for a, b in pairwise(taken))


def test_the_newest_frame_replaces_the_unread_one() -> None:
    room = Mailroom()
    box = room.add()
    for number in range(3):
        box.put(frame("a", number))
    assert [item.time_s for item in room.take(limit=4, timeout_s=0)] == [2]
    assert box.unread == 2


def test_cameras_are_served_in_turn_however_busy_one_is() -> None:
    room = Mailroom()
    boxes = {name: room.add() for name in "abc"}
    served = []
    for _ in range(6):
        for name, box in boxes.items():
            box.put(frame(name))
        served += [item.camera for item in room.take(limit=1, timeout_s=0)]
    assert served == list("abcabc")


def test_a_batch_holds_one_frame_of_each_ready_camera() -> None:
    room = Mailroom()
    boxes = [room.add() for _ in range(4)]
    for number in (0, 2, 3):
        boxes[number].put(frame(str(number)))
    assert [item.camera for item in room.take(limit=2, timeout_s=0)] == ["0", "2"]
    boxes[0].put(frame("0"))
    assert [item.camera for item in room.take(limit=2, timeout_s=0)] == ["3", "0"]
    assert room.take(limit=2, timeout_s=0) == []


def test_a_waiting_reader_wakes_for_any_camera() -> None:
    room = Mailroom()
    room.add()
    box = room.add()
    got: list[Frame] = []
    reader = threading.Thread(target=lambda: got.extend(room.take(limit=1, timeout_s=30)))
    reader.start()
    box.put(frame("b"))
    reader.join(10)
    assert [item.camera for item in got] == ["b"]
