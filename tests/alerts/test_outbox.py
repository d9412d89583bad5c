import logging
import shutil
import sqlite3
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.alerts import outbox as module
from edge.alerts.outbox import Outbox
from edge.domain.alert import TransitionKind
from tests.fakes.scores import story

NEW, UPDATE, END = TransitionKind.NEW, TransitionKind.UPDATE, TransitionKind.END
NOW_S = 2000.0


@pytest.fixture
def make(tmp_path):
    """Outboxes that are closed after the test; ``make()`` opens the same file again."""
    opened = []

    def open_outbox(path=tmp_path / "outbox.sqlite", **bounds):
        opened.append(Outbox(path, **bounds))
        return opened[-1]

    yield open_outbox
    for box in opened:
        box.close()


def crash(path, into):
    """What a kill -9 leaves on disk at this moment: the files as they are, nothing closed."""
    into.mkdir()
    for file in path.parent.glob(f"{path.name}*"):
        shutil.copy(file, into / file.name)
    return into / path.name


@contextmanager
def locked(path):
    """Another program holds the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        yield


def waiting(box):
    return [p.transition for p in box.next(1000)]


def drain(box):
    told = []
    while batch := box.next(10):
        told += [p.transition for p in batch]
        box.done([p.seq for p in batch])
    return told


def test_what_is_recorded_comes_out_in_order_and_leaves_when_acknowledged(make):
    box = make()
    for transition in story():
        box.record([transition], now_s=NOW_S)
    assert drain(box) == story()
    assert len(box) == 0


def test_one_message_per_event_at_a_time(make):
    box = make()
    box.record([*story(1000.0), *story(1001.0)], now_s=NOW_S)
    first, second = box.next(10)
    assert [first.transition.kind, second.transition.kind] == [NEW, NEW]
    assert box.next(10, busy=[first.transition.after.id]) == [second]
    assert box.next(1) == [first]
    assert box.next(10, skip=[first.seq])[0].transition.kind is UPDATE


def test_a_crash_at_any_step_loses_nothing_and_doubles_no_event(make, tmp_path):
    """After every write, a process that starts from the files as they are tells the whole story."""
    number = count()
    path = tmp_path / "outbox.sqlite"
    box, sent = make(path), []

    def restart_tells(recorded):
        after = make(crash(path, tmp_path / f"crash{next(number)}"))
        told = sent + drain(after)
        assert told == recorded
        still_open = [] if not recorded or recorded[-1].kind is END else [recorded[-1].after]
        assert after.open_events() == still_open

    restart_tells([])
    for position, transition in enumerate(story(updates=3)):
        box.record([transition], now_s=NOW_S)
        restart_tells(story(updates=3)[: position + 1])
        if position % 2:
            (pending,) = box.next(1)
            box.done([pending.seq])
            sent.append(pending.transition)
            restart_tells(story(updates=3)[: position + 1])


def test_a_transaction_that_dies_half_way_leaves_nothing(make, tmp_path, monkeypatch):
    box = make()
    calls = count()

    def die(*_args, **_kwargs):
        if next(calls) == 1:
            raise KeyboardInterrupt
        return b"{}"

    monkeypatch.setattr(module, "encode_event", die)
    with pytest.raises(KeyboardInterrupt):
        box.record(story()[:2], now_s=NOW_S)
    after = make(crash(tmp_path / "outbox.sqlite", tmp_path / "crash"))
    assert (len(after), after.open_events()) == (0, [])


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12), st.integers(0, 4), st.integers(4, 20))
def test_bounds_hold_and_updates_go_first(events, updates, bound):
    box = Outbox(Path(":memory:"), max_messages=bound)
    for n in range(events):
        for transition in story(1000.0 + 10 * n, updates=updates):
            box.record([transition], now_s=NOW_S)
    left = [k for (k,) in box._db.execute("SELECT kind FROM messages ORDER BY seq")]
    assert min(bound, events * (updates + 2)) - 1 <= len(left) <= bound
    assert left.count("new") == left.count("end") == min(events, bound // 2)
    assert sum(box.counts.dropped.values()) == events * (updates + 2) - len(left)
    if events * 2 <= bound:
        assert box.counts.dropped["new"] == box.counts.dropped["end"] == 0
    box.close()


def test_what_is_too_old_goes_and_is_counted(make, caplog):
    box = make(max_age_s=100.0)
    box.record(story(1000.0), now_s=1010.0)
    box.record(story(1200.0), now_s=1210.0)
    assert waiting(box) == story(1200.0)[:1]
    assert box.counts.dropped == {"new": 1, "update": 1, "end": 1}
    assert caplog.text.count("too old") == 1


@pytest.mark.parametrize(
    "content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_broken_file_is_moved_aside_and_a_new_one_begun(make, tmp_path, caplog, content):
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(content)
    box = make(path)
    box.record(story(), now_s=NOW_S)
    assert drain(box) == story()
    assert (tmp_path / "outbox.sqlite.corrupt").read_bytes() == content
    assert "moved to" in caplog.text
    assert box.problem == ""


def test_a_file_of_another_format_is_moved_aside(make, tmp_path):
    path = tmp_path / "outbox.sqlite"
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    make(path).record(story(), now_s=NOW_S)
    assert (tmp_path / "outbox.sqlite.corrupt").exists()


def test_a_row_that_cannot_be_read_is_counted_and_skipped(make, caplog):
    box = make()
    box.record(story(), now_s=NOW_S)
    box._db.execute("UPDATE messages SET payload = x'00' WHERE kind = 'new'")
    assert box.next(1) == []
    assert [t.kind for t in drain(box)] == [UPDATE, END]
    assert box.counts.malformed == 1
    assert "cannot be read" in caplog.text


def test_a_full_disk_is_said_and_survived_and_left_behind(make, tmp_path, caplog):
    """SQLite's own page limit makes it report a full disk."""
    path = tmp_path / "outbox.sqlite"
    box = make(path)
    box.record(story(1000.0), now_s=NOW_S)
    (pages,) = box._db.execute("PRAGMA page_count").fetchone()
    box._db.execute(f"PRAGMA max_page_count = {pages}")
    with caplog.at_level(logging.ERROR):
        for n in range(1, 30):
            box.record(story(1000.0 + 10 * n), now_s=NOW_S)
    assert "full" in box.problem
    assert caplog.text.count("cannot be written") == 1
    assert len(box) == 90
    box.record(story(5000.0), now_s=NOW_S)
    box.retry(0.0)
    assert box.problem == ""
    assert len(make(crash(path, tmp_path / "crash"))) == 93


def test_a_place_that_cannot_be_written_is_said_and_survived(make, tmp_path):
    (tmp_path / "file").write_text("no folder")
    box = make(tmp_path / "file" / "outbox.sqlite")
    assert "cannot be written" in box.problem
    box.record(story(), now_s=NOW_S)
    assert drain(box) == story()


class TestAFileThatCouldNotBeReadAtTheStart:
    @pytest.fixture
    def box(self, make, tmp_path, monkeypatch):
        """In memory with the story of 2000 s; on the disk waits the beginning of that of 1000 s."""
        path = tmp_path / "outbox.sqlite"
        first = make(path)
        first.record(story(1000.0)[:1], now_s=NOW_S)
        first.close()
        connect = sqlite3.connect
        with locked(path), monkeypatch.context() as patch:
            patch.setattr(
                sqlite3,
                "connect",
                lambda *args, **kwargs: connect(*args, **kwargs | {"timeout": 0}),
            )
            box = make(path)
            assert "locked" in box.problem
            box.record(story(2000.0)[:2], now_s=NOW_S)
            box.retry(0.0)
            assert "locked" in box.problem
        return box

    def test_is_added_to_and_not_replaced(self, box, make, tmp_path):
        box.retry(module.DISK_RETRY_S)
        assert box.problem == ""
        assert [e.start_time_s for e in box.open_events()] == [1000.0, 2000.0]
        after = make(crash(tmp_path / "outbox.sqlite", tmp_path / "crash"))
        assert drain(after) == drain(box) == [*story(1000.0)[:1], *story(2000.0)[:2]]

    def test_a_receipt_for_a_message_of_before_the_return_touches_no_other(self, box):
        (in_flight,) = box.next(1)
        box.retry(module.DISK_RETRY_S)
        box.done([in_flight.seq])
        assert waiting(box) == [story(1000.0)[0], story(2000.0)[1]]

    def test_is_tried_again_after_a_while_and_at_the_end(self, box, make):
        box.retry(module.DISK_RETRY_S - 1.0)
        assert box.problem
        box.close()
        assert len(make()) == 3

    def test_takes_what_comes_after_the_return(self, box, make, tmp_path):
        box.retry(module.DISK_RETRY_S)
        box.record(story(3000.0), now_s=NOW_S)
        assert len(make(crash(tmp_path / "outbox.sqlite", tmp_path / "crash"))) == 6


@pytest.mark.parametrize(
    "read", [lambda box: box.next(10), len, Outbox.open_events, lambda box: box._trim(NOW_S)]
)
def test_a_read_that_fails_goes_on_in_memory(make, read):
    box = make()
    box.record(story(), now_s=NOW_S)
    with closing(box._db):
        box._db.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
    read(box)  # of a connection that gives nothing
    assert "cannot be written" in box.problem
    box.record(story(3000.0)[:1], now_s=NOW_S)
    box.retry(0.0)
    assert box.problem == ""
    assert waiting(box) == [story()[0], story(3000.0)[0]]


def test_broken_pages_are_not_taken_into_memory(make, tmp_path):
    path = tmp_path / "outbox.sqlite"
    box = make(path)
    for n in range(50):
        box.record(story(1000.0 + 10 * n), now_s=NOW_S)
    box._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    box._db.execute("PRAGMA cache_size = 0")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    assert box.next(10) == []
    box.record(story(3000.0), now_s=NOW_S)
    assert waiting(box) == story(3000.0)[:1]
