import os
from pathlib import Path

import pytest

from aggregator.transfers import ABANDONED_S, GIVEN_UP_S, Uploads
from edge.errors import MalformedMessageError
from edge.wire.chunks import blob_of
from edge.wire.rounds import UpdateOffer

PAYLOAD = bytes(range(250))


def offer(update: str = "u", payload: bytes = PAYLOAD) -> UpdateOffer:
    blob = blob_of(payload, chunk_bytes=100)
    return UpdateOffer(round=1, update=update, fingerprint="f", num_examples=1, blob=blob)


def give(uploads: Uploads, participant: str, start: int, now_s: float = 0.0) -> UpdateOffer | None:
    chunk = PAYLOAD[start : start + 100]
    return uploads.chunk(participant, offer().blob.id, start, chunk, now_s)


def test_the_last_piece_completes_an_update(tmp_path: Path):
    uploads = Uploads(tmp_path)
    assert uploads.offer("a", offer(), 0.0).ranges == ((0, 250),)
    assert [give(uploads, "a", start) for start in (200, 0, 100)] == [None, None, offer()]
    assert uploads.payload("a") == PAYLOAD


def test_pieces_survive_a_kill_and_are_not_asked_for_again(tmp_path: Path):
    before = Uploads(tmp_path)
    before.offer("a", offer(), 0.0)
    give(before, "a", 100)
    assert Uploads(tmp_path).offer("a", offer(), 0.0).ranges == ((0, 100), (200, 250))


def test_an_answered_update_leaves_nothing_behind(tmp_path: Path):
    uploads = Uploads(tmp_path)
    uploads.offer("a", offer(), 0.0)
    give(uploads, "a", 0)
    uploads.end("a")
    assert list(tmp_path.rglob("*")) == []
    assert give(uploads, "a", 100) is None


def test_another_update_takes_the_place_of_the_first(tmp_path: Path):
    uploads = Uploads(tmp_path)
    uploads.offer("a", offer(), 0.0)
    other = offer("other", bytes(50))
    assert uploads.offer("a", other, 0.0).blob == other.blob.id
    assert give(uploads, "a", 0) is None


def test_only_so_many_are_fetched_at_once_and_the_silent_lose_their_turn(tmp_path: Path):
    uploads = Uploads(tmp_path, max_active=2)
    assert uploads.offer("a", offer(), 0.0)
    assert uploads.offer("b", offer(), 0.0)
    assert uploads.offer("c", offer(), 0.0) is None
    assert {name for name, _ in uploads.ask(10.0)} == {"a", "b"}
    give(uploads, "a", 0, GIVEN_UP_S)
    assert uploads.offer("c", offer(), GIVEN_UP_S + 1) is not None  # b was silent


def test_nobody_touches_another_s_upload(tmp_path: Path):
    uploads = Uploads(tmp_path)
    uploads.offer("a", offer(), 0.0)
    assert give(uploads, "b", 0) is None
    with pytest.raises(MalformedMessageError):
        uploads.chunk("a", offer().blob.id, 50, b"x", 0.0)
    assert uploads.offer("a", offer(), 99.0).ranges == ((0, 250),)


def test_who_offers_and_sends_nothing_holds_no_turn(tmp_path: Path):
    uploads = Uploads(tmp_path, max_active=1)
    for second in range(0, int(GIVEN_UP_S), 5):
        uploads.offer("idler", offer(f"u{second}"), float(second))
    assert uploads.offer("a", offer(), GIVEN_UP_S + 1) is not None


def test_a_clock_that_is_set_back_ends_turns_too(tmp_path: Path):
    uploads = Uploads(tmp_path, max_active=1)
    uploads.offer("gone", offer(), 1e9)
    assert uploads.offer("a", offer(), 0.0) is not None


def test_however_many_updates_are_begun_the_pieces_of_one_lie_on_the_disk(tmp_path: Path):
    for number in range(5):  # each in a process of its own: as if its turn had ended
        payload = bytes([number]) * 250
        Uploads(tmp_path).offer("a", offer(str(number), payload), 0.0)
    assert len(list((tmp_path / "a").iterdir())) == 1


def test_abandoned_pieces_are_swept_away_and_no_others(tmp_path: Path):
    before = Uploads(tmp_path)
    for name in ("abandoned", "recent", "active"):
        before.offer(name, offer(), 0.0)
    uploads = Uploads(tmp_path)
    uploads.offer("active", offer(), 0.0)
    for name, changed_s in (("abandoned", 0.0), ("recent", 100.0), ("active", 0.0)):
        for path in (*(tmp_path / name).iterdir(), tmp_path / name):
            os.utime(path, (changed_s, changed_s))
    uploads.sweep(ABANDONED_S + 1.0)
    assert {path.name for path in tmp_path.iterdir()} == {"recent", "active"}
