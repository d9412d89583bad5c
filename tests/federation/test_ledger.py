import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import PrivacyError, StorageError
from edge.federation.ledger import ALLOWED_SCHEMAS, Departure, Ledger, Total
from edge.wire import masks, rounds

UP = "vad/fl/site/door/up/update"


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def ledger_at(folder: Path, clock: Clock | None = None, **options: float) -> Ledger:
    return Ledger(folder / "ledger.sqlite", now_s=clock or Clock(), **options)


def test_what_leaves_is_written_down_for_the_next_process(tmp_path):
    clock = Clock()
    with closing(ledger_at(tmp_path, clock)) as ledger:
        ledger.depart("fl-update-1", UP, 300)
        clock.now_s += 5
        ledger.depart("fl-blob-1", "vad/fl/site/door/blob/x/0", 100_000)
        ledger.depart("fl-blob-1", "vad/fl/site/door/blob/x/100000", 7)
    with closing(ledger_at(tmp_path)) as ledger:
        assert ledger.totals() == {"fl-blob-1": Total(2, 100_007), "fl-update-1": Total(1, 300)}
        assert ledger.entries()[0] == Departure(1000.0, "fl-update-1", UP, 300)
        assert [entry.size_bytes for entry in ledger.entries(since_s=1005)] == [100_000, 7]


@pytest.mark.parametrize("schema", ["fl-frame-1", "fl-update-2", "", "FL-UPDATE-1", "fl-update-1 "])
def test_nothing_else_leaves(tmp_path, schema):
    with closing(ledger_at(tmp_path)) as ledger:
        with pytest.raises(PrivacyError, match="was stopped"):
            ledger.depart(schema, UP, 1)
        assert ledger.totals() == {}


def test_every_kind_of_message_that_a_participant_sends_has_its_schema():
    kinds = {*rounds.UP, masks.Keys.kind, masks.Shares.kind, masks.Unmask.kind, "blob"}
    assert {f"fl-{kind}-1" for kind in kinds} == ALLOWED_SCHEMAS


def test_single_departures_are_kept_for_a_while_and_sums_for_ever(tmp_path):
    clock = Clock()
    with closing(ledger_at(tmp_path, clock, kept_s=10.0)) as ledger:
        ledger.depart("fl-join-1", UP, 1)
        clock.now_s += 11
        ledger.depart("fl-join-1", UP, 2)
        assert [entry.size_bytes for entry in ledger.entries()] == [2]
        assert ledger.totals() == {"fl-join-1": Total(2, 3)}


@settings(deadline=None, max_examples=15)  # each message waits for the disk
@given(
    st.lists(st.tuples(st.sampled_from(sorted(ALLOWED_SCHEMAS)), st.integers(0, 2**40)), max_size=8)
)
def test_sums_are_those_of_the_entries(tmp_path_factory, messages):
    with closing(ledger_at(tmp_path_factory.mktemp("ledger"))) as ledger:
        for schema, size_bytes in messages:
            ledger.depart(schema, UP, size_bytes)
        entries, totals = ledger.entries(), ledger.totals()
    assert [(entry.schema, entry.size_bytes) for entry in entries] == messages
    for schema, total in totals.items():
        sizes = [size for name, size in messages if name == schema]
        assert total == Total(len(sizes), sum(sizes))


def test_what_cannot_be_written_down_does_not_leave(tmp_path):
    with closing(ledger_at(tmp_path)) as ledger:
        ledger.depart("fl-join-1", UP, 1)
        pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
        ledger._db.execute(f"PRAGMA max_page_count = {pages}")  # as a full disk does
        with pytest.raises(StorageError, match="full"):
            ledger.depart("fl-join-1", "t" * 100_000, 1)
        assert ledger.totals() == {"fl-join-1": Total(1, 1)}
        assert len(ledger.entries()) == 1


def test_a_ledger_that_cannot_be_read_stops_everything(tmp_path):
    (tmp_path / "ledger.sqlite").write_bytes(b"no database, but long enough to be read" * 100)
    with pytest.raises(StorageError, match="cannot be used"):
        ledger_at(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be used"):
        ledger_at(tmp_path / "file")


def test_what_messages_hold_is_told_in_words_and_summed_for_ever(tmp_path):
    held = "shares of 8 classes, noised"
    clock = Clock()
    with closing(ledger_at(tmp_path, clock, kept_s=10.0)) as ledger:
        ledger.depart("fl-join-1", UP, 70, held)
        clock.now_s += 11
        ledger.depart("fl-join-1", UP, 50)
        ledger.depart("fl-join-1", UP, 71, held)
    with closing(ledger_at(tmp_path)) as ledger:
        assert [entry.holds for entry in ledger.entries()] == ["", held]
        assert ledger.holdings() == {held: Total(2, 141)}
        assert ledger.totals() == {"fl-join-1": Total(3, 191)}


def test_a_ledger_from_before_messages_told_what_they_hold_goes_on(tmp_path):
    with closing(ledger_at(tmp_path)) as ledger:
        ledger.depart("fl-join-1", UP, 50)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as db:
        db.executescript(
            "DROP TABLE holdings; ALTER TABLE departures DROP COLUMN holds; PRAGMA user_version = 1"
        )
    for _ in range(2):
        with closing(ledger_at(tmp_path)) as ledger:
            assert ledger.entries()[0] == Departure(1000.0, "fl-join-1", UP, 50)
            ledger.depart("fl-join-1", UP, 70, "shares of 2 classes, noised")
            assert ledger.entries()[-1].holds == "shares of 2 classes, noised"
    with closing(ledger_at(tmp_path)) as ledger:
        assert ledger.totals()["fl-join-1"] == Total(3, 190)


def test_a_ledger_of_another_format_is_left_alone(tmp_path):
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as db:
        db.execute("PRAGMA user_version = 9")
    with pytest.raises(StorageError, match="format 9"):
        ledger_at(tmp_path)


def test_single_departures_are_bounded_in_number_and_sums_are_not(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.sqlite", max_departures=3)
    for size_bytes in range(10):
        ledger.depart("fl-join-1", "t", size_bytes)
    assert [entry.size_bytes for entry in ledger.entries()] == [7, 8, 9]
    assert ledger.totals()["fl-join-1"].messages == 10
    ledger.close()
