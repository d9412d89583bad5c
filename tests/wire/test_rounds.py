import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError, MalformedMessageError
from edge.wire.masks import Unmask
from edge.wire.rounds import (
    MAX_BLOB_BYTES,
    MAX_CLASSES,
    MAX_CLUSTERS,
    MAX_COMPONENTS,
    MAX_MEMBERS,
    MAX_MESSAGE_BYTES,
    Accepted,
    Announcement,
    Blob,
    ClusterNotice,
    Component,
    Join,
    Masking,
    Missing,
    Mode,
    Phase,
    Privacy,
    Refused,
    Settings,
    Statistics,
    UpdateOffer,
    decode_message,
    encode_message,
)

numbers = st.integers(1, 2**31)
names = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(1e-6, 1e6)
blobs = st.builds(
    Blob,
    id=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    size_bytes=st.integers(1, MAX_BLOB_BYTES),
    chunk_bytes=st.integers(1, 2**20),
)
components = st.builds(
    Component, mean=finite, variance=st.floats(0, 1e9), num_segments=st.integers(1, 2**53)
)
plain = st.dictionaries(names, st.integers() | st.booleans() | st.text(max_size=5), max_size=3)
settings_ = st.builds(
    Settings,
    student=plain,
    spec_versions=st.lists(st.text(max_size=8), max_size=3).map(tuple),
    plan=plain,
    rule=plain,
    compression=names,
    privacy=st.none() | st.builds(Privacy, clip_norm=positive, noise_multiplier=st.floats(0, 1e3)),
    mode=st.sampled_from(Mode),
    masking=st.none()
    | st.builds(
        Masking,
        threshold=st.integers(2, 9),
        max_examples=st.integers(1, 10**6),
        weighted=st.booleans(),
    ),
    classes=st.lists(st.text(min_size=1, max_size=8), max_size=3).map(tuple),
)


def is_told_once(clusters) -> bool:
    members = [name for one in clusters for name in one.members]
    labels = [one.label for one in clusters]
    return len(set(members)) == len(members) and len(set(labels)) == len(labels)


notices = st.lists(
    st.builds(
        ClusterNotice,
        label=st.integers(0, 2**31),
        model=blobs,
        fingerprint=names,
        members=st.lists(names, max_size=3, unique=True).map(tuple),
    ),
    max_size=3,
).filter(is_told_once)
shares = st.sampled_from([(), (1.0,), (0.25, 0.75), (0.1, 0.2, 0.7)])
messages = st.one_of(
    st.builds(
        Announcement,
        run=names,
        round=numbers,
        phase=st.sampled_from(Phase),
        attempt=st.integers(1, 9),
        deadline_s=finite,
        model=blobs,
        fingerprint=names,
        settings=settings_,
        mixture=st.lists(components, max_size=3).map(tuple),
        survivors=st.lists(names, max_size=3).map(tuple),
        clusters=notices.map(tuple),
    ),
    st.builds(
        Join,
        round=numbers,
        takes_part=st.booleans(),
        version=st.text(max_size=9),
        objects=shares,
    ),
    st.builds(Statistics, round=numbers, component=components),
    st.builds(
        UpdateOffer,
        round=numbers,
        update=names,
        fingerprint=names,
        num_examples=st.integers(1, 2**53),
        blob=blobs,
    ),
    st.builds(Missing, blob=blobs.map(lambda blob: blob.id), ranges=st.just(((0, 5), (7, 9)))),
    st.builds(Accepted, round=numbers, update=names),
    st.builds(Refused, round=numbers, update=st.none() | names, reason=st.text(max_size=99)),
)
KINDS = (Announcement, Join, Statistics, UpdateOffer, Missing, Accepted, Refused)


@given(messages)
def test_a_message_comes_back_as_it_was(message):
    assert decode_message(encode_message(message), type(message)) == message


@given(st.binary(max_size=200), st.sampled_from(KINDS))
def test_arbitrary_bytes_are_refused(payload, kind):
    with pytest.raises(MalformedMessageError):
        decode_message(payload, kind)


@given(messages, st.data())
def test_damaged_messages_parse_or_are_refused(message, data):
    raw = bytearray(encode_message(message))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MalformedMessageError):
        assert isinstance(decode_message(bytes(raw), type(message)), type(message))


def test_a_message_that_is_too_long_is_not_parsed():
    with pytest.raises(MalformedMessageError, match="at most"):
        decode_message(b" " * (MAX_MESSAGE_BYTES + 1), Join)


@pytest.mark.parametrize("ranges", ["[]", "[[5,5]]", "[[6,5]]", "[[-1,5]]", "[[0,99999999999]]"])
def test_only_ranges_with_bytes_in_them_are_missing(ranges):
    payload = f'{{"blob": "{"0" * 64}", "ranges": {ranges}}}'.encode()
    with pytest.raises(MalformedMessageError):
        decode_message(payload, Missing)


def test_masked_updates_need_a_bound():
    plain = Settings(student={}, spec_versions=(), plan={}, rule={}, compression="fp32")
    with pytest.raises(ConfigError, match="clip norm"):
        plain.fixed_point()


def test_what_a_participant_writes_can_neither_forge_a_log_line_nor_move_a_cursor():
    join = Join(round=1, takes_part=False, reason="no\nERROR \x1b[2J", version="1\r")
    assert join.reason == "no ERROR  [2J"
    assert decode_message(encode_message(join), Join) == join


def test_a_foreign_key_is_not_repeated_at_length():
    unmask = b'{"session": "s", "seed_shares": {}, "key_shares": {}, "%s": 1}' % (b"\\n" * 9999)
    with pytest.raises(MalformedMessageError) as caught:
        decode_message(unmask, Unmask)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


PLAIN = Settings(student={}, spec_versions=(), plan={}, rule={}, compression="fp32")


def announced(**changes) -> Announcement:
    blob = Blob(id="0" * 64, size_bytes=2**31, chunk_bytes=2**20)
    fields = {"run": "r", "round": 2, "phase": Phase.UPDATES, "deadline_s": 1.7e9, "model": blob}
    return Announcement(**{**fields, "fingerprint": "f" * 64, "settings": PLAIN, **changes})


def cluster(label: int, members: tuple[str, ...]) -> ClusterNotice:
    blob = Blob(id=f"{label:064x}", size_bytes=2**31, chunk_bytes=2**20)
    return ClusterNotice(label=label, model=blob, fingerprint="e" * 64, members=members)


def test_the_longest_announcement_is_not_too_long():
    """All that may be said to 1000 participants, with the longest names and numbers."""
    everybody = [f"{number:x>200}" for number in range(MAX_MEMBERS)]
    each = len(everybody) // MAX_CLUSTERS
    clusters = (
        cluster(2**31 - label, tuple(everybody[label * each : (label + 1) * each]))
        for label in range(MAX_CLUSTERS)
    )
    number = -1.7976931348623157e308
    component = Component(mean=number, variance=-number, num_segments=2**53)
    message = announced(
        mixture=(component,) * MAX_COMPONENTS,
        clusters=tuple(clusters),
        settings=PLAIN.model_copy(update={"classes": ("c" * 64,) * MAX_CLASSES}),
    )
    payload = encode_message(message)
    assert len(payload) <= MAX_MESSAGE_BYTES
    assert decode_message(payload, Announcement) == message


def test_everybody_is_told_of_its_own_cluster_alone():
    told = announced(clusters=(cluster(1, ("a", "b")), cluster(5, ("c",))))
    mine = told.seen_by("c")
    assert mine.clusters == told.clusters[1:]
    assert (mine.model, mine.fingerprint) == (mine.clusters[0].model, "e" * 64)
    assert told.seen_by("d") is None
    assert announced().seen_by("d") == announced()


@pytest.mark.parametrize("members", [("a", "b"), tuple(str(n) for n in range(MAX_MEMBERS))])
def test_nobody_is_in_two_clusters_and_all_are_not_too_many(members):
    with pytest.raises(ValueError, match="clusters"):
        announced(clusters=(cluster(1, ("a",)), cluster(2, members)))


def test_a_label_is_of_one_cluster():
    with pytest.raises(ValueError, match="same label"):
        announced(clusters=(cluster(1, ("a",)), cluster(1, ("b",))))


@pytest.mark.parametrize("objects", [[0.5, 0.4], [1.5, -0.5], [0.0, 0.0], [float("nan")]])
def test_what_is_no_distribution_is_refused(objects):
    with pytest.raises(ValueError, match="objects"):
        Join(round=1, takes_part=True, version="1", objects=tuple(objects))
