from edge.wire.inbox import Inbox


def test_what_was_put_is_taken_in_order():
    inbox = Inbox[int](5, limit_bytes=99)
    for number in range(4):
        inbox.put(number, 1)
    assert inbox.take(0.0) == [0, 1, 2, 3]
    assert inbox.take(0.0) == []


def test_what_finds_no_room_is_counted():
    inbox = Inbox[int](2, limit_bytes=99)
    for number in range(5):
        inbox.put(number, 1)
    assert inbox.take(0.0) == [0, 1]
    assert inbox.dropped == 3


def test_a_waker_brings_nothing():
    inbox = Inbox[int](1, limit_bytes=99)
    inbox.wake()
    inbox.wake()
    assert inbox.take(60.0) == []
    inbox.put(1, 1)
    inbox.wake()
    assert inbox.take(60.0) == [1]


def test_what_waits_is_bounded_in_bytes_too():
    inbox = Inbox[str](9, limit_bytes=10)
    for name in ("first", "second", "third"):
        inbox.put(name, 5)
    assert inbox.take(0.0) == ["first", "second"]
    assert inbox.dropped == 1
    inbox.put("whole", 10)  # what was taken makes room again
    assert inbox.take(0.0) == ["whole"]
