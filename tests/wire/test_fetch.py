from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import MalformedMessageError
from edge.wire.chunks import blob_of, touched_chunks
from edge.wire.fetch import QUIET_S, Fetch

PAYLOAD = bytes(range(256)) * 4
LIMIT = len(PAYLOAD)


@given(lost=st.sets(st.integers(0, 200), max_size=150), restarts=st.sets(st.integers(0, 200)))
@settings(deadline=None, max_examples=30)
def test_a_blob_arrives_whatever_is_lost_and_whoever_is_killed(tmp_path_factory, lost, restarts):
    folder = tmp_path_factory.mktemp("fetch")
    blob = blob_of(PAYLOAD, chunk_bytes=100)
    fetch, sent, now_s = Fetch(blob, folder, limit_bytes=LIMIT), 0, 0.0
    while not fetch.complete:
        missing = fetch.ask(now_s)
        now_s += QUIET_S
        for start, end in touched_chunks(blob, missing.ranges) if missing else ():
            sent += 1
            if sent in restarts:
                fetch = Fetch(blob, folder, limit_bytes=LIMIT)
            if sent not in lost:
                fetch.add(start, PAYLOAD[start:end], now_s)
    assert fetch.payload() == PAYLOAD


def test_nothing_is_asked_for_while_it_is_on_its_way(tmp_path: Path):
    fetch = Fetch(blob_of(PAYLOAD, chunk_bytes=100), tmp_path, limit_bytes=LIMIT)
    assert fetch.ask(0.0) is not None
    assert fetch.ask(QUIET_S / 2) is None
    fetch.add(0, PAYLOAD[:100], QUIET_S / 2)
    assert fetch.ask(QUIET_S) is None  # something came: the rest is on its way
    again = fetch.ask(QUIET_S * 2)
    assert again is not None
    assert again.ranges == ((100, len(PAYLOAD)),)


def test_a_new_connection_asks_at_once(tmp_path: Path):
    fetch = Fetch(blob_of(PAYLOAD, chunk_bytes=100), tmp_path, limit_bytes=LIMIT)
    fetch.ask(0.0)
    fetch.quiet()
    assert fetch.ask(0.1) is not None


def test_a_wrong_chunk_is_found_out_and_fetched_again(tmp_path: Path):
    fetch = Fetch(blob_of(PAYLOAD, chunk_bytes=2000), tmp_path, limit_bytes=LIMIT)
    fetch.add(0, bytes(len(PAYLOAD)), 0.0)
    with pytest.raises(MalformedMessageError):
        fetch.payload()
    assert fetch.ask(9.0) is not None


def test_pieces_of_another_blob_do_not_stay_behind(tmp_path: Path):
    Fetch(blob_of(PAYLOAD, chunk_bytes=100), tmp_path, limit_bytes=LIMIT)
    Fetch(blob_of(PAYLOAD[1:], chunk_bytes=100), tmp_path, limit_bytes=LIMIT)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_blob_beyond_the_limit_takes_no_room(tmp_path: Path):
    with pytest.raises(MalformedMessageError, match="at most 1023 bytes"):
        Fetch(blob_of(PAYLOAD), tmp_path, limit_bytes=LIMIT - 1)
    assert list(tmp_path.iterdir()) == []


def test_a_clock_that_is_set_back_stops_no_transfer(tmp_path: Path):
    fetch = Fetch(blob_of(PAYLOAD, chunk_bytes=100), tmp_path, limit_bytes=LIMIT)
    fetch.ask(1e9)  # and nothing comes
    assert fetch.ask(0.0) is not None
