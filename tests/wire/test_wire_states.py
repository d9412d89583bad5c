import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError, MalformedMessageError
from edge.wire.states import (
    CameraStatus,
    decode_command,
    decode_status,
    encode_score,
    encode_status,
    encode_switch,
)
from edge.wire.stats import CameraStats, HostStats, decode_stats, encode_stats
from edge.wire.topics import Topics

counts = st.dictionaries(st.text(max_size=8), st.integers(0, 2**53), max_size=3)
cameras = st.builds(
    CameraStats,
    camera=st.text(max_size=8),
    status=st.sampled_from(CameraStatus),
    stream_hz=st.floats(0, 100),
    analysed_hz=st.floats(0, 100),
    dropped=counts,
    reconnects=st.integers(0, 1000),
    latency_p50_ms=st.none() | st.floats(0, 1e6),
    latency_p99_ms=st.none() | st.floats(0, 1e6),
    open_events=st.integers(0, 9),
)
hosts = st.builds(
    HostStats,
    time=st.floats(0, 4e9),
    uptime_s=st.floats(0, 1e9),
    model_version=st.text(max_size=8),
    rss_bytes=st.integers(0, 2**40),
    stages_ms=st.dictionaries(st.text(max_size=8), st.floats(0, 1e6), max_size=3),
    counters=counts,
    problems=st.lists(st.text(max_size=20), max_size=3),
    cameras=st.lists(cameras, max_size=3),
)


@given(st.binary(max_size=10).filter(lambda raw: raw not in (b"ON", b"OFF")))
def test_a_switch_takes_on_and_off_alone(payload):
    with pytest.raises(MalformedMessageError):
        decode_command(payload)


@pytest.mark.parametrize("on", [True, False])
def test_a_switch_reads_what_it_says(on):
    assert decode_command(encode_switch(on)) is on


@pytest.mark.parametrize("status", CameraStatus)
def test_a_status_reads_what_it_says(status):
    assert decode_status(encode_status(status)) is status


@given(st.binary(max_size=10))
def test_unknown_statuses_are_refused(payload):
    if payload not in [s.value.encode() for s in CameraStatus]:
        with pytest.raises(MalformedMessageError):
            decode_status(payload)


def test_a_score_is_json_with_its_time():
    message = json.loads(encode_score(2.11349, time_s=12.5))
    assert message == {"score": 2.113, "time": 12.5}
    said = json.loads(encode_score(2.0, time_s=12.5, student=0.87654321))
    assert said == {"score": 2.0, "time": 12.5, "student": 0.876543}
    with pytest.raises(ValueError, match="JSON"):
        encode_score(float("nan"), time_s=0)


@given(hosts)
def test_stats_are_read_as_they_were_sent(stats):
    assert decode_stats(encode_stats(stats)) == stats


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_stats(payload):
    with pytest.raises(MalformedMessageError):
        decode_stats(payload)


ids = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)


@given(st.lists(ids, min_size=1, max_size=4), ids, ids)
def test_topics_are_distinct_shallow_and_under_the_host(levels, host, camera):
    topics = Topics("/".join(levels), host)
    if camera in ("available", "stats", "events", "words"):
        return
    of_camera = [topics.status, topics.anomaly, topics.score, topics.snapshot]
    of_camera += [topics.detect_set, topics.detect_state]
    of_camera += [topics.guidance_set, topics.guidance_state]
    names = [topics.available, topics.stats, topics.events, *(of(camera) for of in of_camera)]
    assert len(set(names)) == len(names)
    assert all(name.count("/") <= 7 for name in names)
    assert all(name.startswith(f"{topics.prefix}/{host}/") for name in names)


@pytest.mark.parametrize(
    ("prefix", "host"),
    [
        ("", "h"), ("vad", ""), ("/vad", "h"), ("vad/", "h"), ("va#d", "h"), ("vad", "a/b"),
        ("vad", "+"), ("vad", "küche"), ("vad", "a b"), ("vad\n", "h"), ("a/b/c/d/e", "h"),
    ],
)  # fmt: skip
def test_names_that_are_no_topics_are_refused(prefix, host):
    with pytest.raises(ConfigError):
        Topics(prefix, host)


@pytest.mark.parametrize("camera", ["", "a/b", "#", "events", "stats", "available", "words"])
def test_cameras_that_are_no_topics_are_refused(camera):
    with pytest.raises(ConfigError):
        Topics("vad", "host").status(camera)
