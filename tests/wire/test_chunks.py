from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import MalformedMessageError, StorageError
from edge.wire.chunks import Assembly, blob_of, read_chunk, touched_chunks
from edge.wire.rounds import Blob

payloads = st.binary(min_size=1, max_size=200)
chunk_sizes = st.integers(1, 40)
fresh_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def pieces(blob, payload):
    return [(s, payload[s:e]) for s, e in touched_chunks(blob, [(0, blob.size_bytes)])]


@given(payloads, chunk_sizes)
def test_chunks_put_together_are_the_blob(payload, chunk_bytes):
    blob = blob_of(payload, chunk_bytes)
    chunks = [chunk for _, chunk in pieces(blob, payload)]
    assert b"".join(chunks) == payload
    assert all(len(chunk) == chunk_bytes for chunk in chunks[:-1])
    assert blob.id == sha256(payload).hexdigest()


@fresh_folder
@given(payload=payloads, chunk_bytes=chunk_sizes, data=st.data())
def test_order_repetition_and_kills_do_not_matter(tmp_path_factory, payload, chunk_bytes, data):
    folder = tmp_path_factory.mktemp("pieces")
    blob = blob_of(payload, chunk_bytes)
    sent = pieces(blob, payload)
    arriving = data.draw(st.permutations(sent + sent[: len(sent) // 2]))
    assembly, seen = Assembly(blob, folder), set()
    for offset, chunk in arriving:
        if data.draw(st.booleans()):
            assembly = Assembly(blob, folder)  # a new process
        assert assembly.complete == (len(seen) == len(sent))
        assert assembly.add(offset, chunk) == (offset not in seen)
        seen.add(offset)
    assert assembly.complete
    assert assembly.missing() == []
    assert assembly.payload() == payload


@fresh_folder
@given(payload=payloads, chunk_bytes=chunk_sizes, data=st.data())
def test_missing_is_all_that_is_not_here_in_fewest_ranges(
    tmp_path_factory, payload, chunk_bytes, data
):
    blob = blob_of(payload, chunk_bytes)
    assembly = Assembly(blob, tmp_path_factory.mktemp("pieces"))
    here = data.draw(st.sets(st.sampled_from(pieces(blob, payload))))
    for offset, chunk in here:
        assembly.add(offset, chunk)
    missing = assembly.missing()
    lacking = {i for start, end in missing for i in range(start, end)}
    there = {offset + i for offset, chunk in here for i in range(len(chunk))}
    assert lacking == set(range(len(payload))) - there
    assert all(end < start for (_, end), (start, _) in pairwise(missing))
    for offset, end in touched_chunks(blob, missing):
        assembly.add(offset, payload[offset:end])
    assert assembly.payload() == payload


@given(chunk_sizes, st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=5))
def test_a_chunk_is_touched_once_if_any_of_its_bytes_is_wanted(chunk_bytes, ranges):
    blob = blob_of(bytes(200), chunk_bytes)
    wanted = {i for start, end in ranges for i in range(start, min(end, 200))}
    touched = list(touched_chunks(blob, ranges))
    every = touched_chunks(blob, [(0, 200)])
    assert touched == [(s, e) for s, e in every if wanted & set(range(s, e))]


@pytest.mark.parametrize(
    ("offset", "length"), [(1, 10), (-10, 10), (30, 10), (2**70, 10), (0, 9), (0, 11), (20, 10)]
)
def test_a_chunk_that_is_none_is_refused(tmp_path, offset, length):
    assembly = Assembly(blob_of(bytes(25), 10), tmp_path)
    with pytest.raises(MalformedMessageError):
        assembly.add(offset, bytes(length))
    assert assembly.missing() == [(0, 25)]


def test_a_wrong_hash_makes_everything_missing_again(tmp_path):
    payload = b"abcdefgh"
    blob = blob_of(payload, 4)
    assembly = Assembly(blob, tmp_path)
    assembly.add(0, b"abcd")
    assembly.add(4, b"efgH")
    with pytest.raises(MalformedMessageError, match="another hash"):
        assembly.payload()
    assert assembly.missing() == [(0, 8)] == Assembly(blob, tmp_path).missing()
    assembly.add(0, b"abcd")
    assembly.add(4, b"efgh")
    assert assembly.payload() == payload


def test_what_is_not_complete_has_no_payload(tmp_path):
    assembly = Assembly(blob_of(bytes(8), 4), tmp_path)
    assembly.add(4, bytes(4))
    with pytest.raises(MalformedMessageError, match="not complete"):
        assembly.payload()


def test_blobs_do_not_share_a_file(tmp_path):
    same = [blob_of(bytes(20), 4), blob_of(bytes(20), 5), blob_of(bytes(21), 4)]
    first, *others = [Assembly(blob, tmp_path) for blob in same]
    first.add(0, bytes(4))
    assert all(other.missing() == [(0, len(bytes(20)) + i)] for i, other in enumerate(others))


@pytest.mark.parametrize("left", [b"", b"abcd", bytes(1000)])
def test_a_file_of_another_length_is_begun_anew(tmp_path, left):
    blob = blob_of(b"abcdefgh", 4)
    Assembly(blob, tmp_path).add(0, b"abcd")
    (file,) = tmp_path.iterdir()
    file.write_bytes(left)
    assert Assembly(blob, tmp_path).missing() == [(0, 8)]


def test_discarded_pieces_are_gone(tmp_path):
    assembly = Assembly(blob_of(bytes(8)), tmp_path)
    assembly.discard()
    assert list(tmp_path.iterdir()) == []
    assembly.discard()
    with pytest.raises(StorageError):
        assembly.add(0, bytes(8))


@pytest.mark.parametrize(("size", "chunk"), [(101, 100), (100_001, 1)])
def test_a_header_beyond_the_limit_is_refused_before_anything_is_kept(tmp_path, size, chunk):
    blob = Blob(id="0" * 64, size_bytes=size, chunk_bytes=chunk)
    with pytest.raises(MalformedMessageError):
        Assembly(blob, tmp_path, limit_bytes=100 if size == 101 else 2**20)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot keep a chunk"):
        Assembly(blob_of(b"a"), tmp_path / "file")


def test_a_chunk_is_read_from_a_file(tmp_path):
    path = tmp_path / "blob"
    assert read_chunk(path, 0, 4) is None
    path.write_bytes(b"abcdefgh")
    assert read_chunk(path, 4, 8) == b"efgh"
    assert read_chunk(path, 6, 10) is None
    with pytest.raises(StorageError):
        read_chunk(tmp_path, 0, 4)
