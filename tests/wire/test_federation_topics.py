import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError, MalformedMessageError
from edge.wire.broker import matches
from edge.wire.federation_topics import AGGREGATOR, FederationTopics, check_participant

TOPICS = FederationTopics("site/vad", "street")
names = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True).filter(
    lambda name: name not in (AGGREGATOR, "round")
)


@given(names, names)
def test_a_message_s_topic_tells_who_and_what(participant, kind):
    for topic in (TOPICS.up(participant, kind), TOPICS.down(participant, kind)):
        assert TOPICS.parse_message(topic) == (participant, kind)
        assert not TOPICS.is_blob(topic)
    assert matches(TOPICS.every_up, TOPICS.up(participant, kind))
    assert not matches(TOPICS.every_up, TOPICS.down(participant, kind))
    assert matches(TOPICS.every_down(participant), TOPICS.down(participant, kind))


@given(names, names, st.integers(0, 2**40))
def test_a_chunk_s_topic_tells_whose_and_where(sender, blob, offset):
    topic = TOPICS.blob(sender, blob, offset)
    assert TOPICS.is_blob(topic)
    assert TOPICS.parse_blob(topic) == (sender, blob, offset)
    assert matches(TOPICS.every_blob, topic)
    assert topic.count("/") <= 7


@given(st.integers(0, 2**31), names, st.integers(0, 2**40))
def test_a_cluster_s_chunks_have_topics_of_their_own(label, blob, offset):
    topic = TOPICS.cluster_blob(label, blob, offset)
    assert TOPICS.is_blob(topic)
    assert TOPICS.parse_blob(topic) == (AGGREGATOR, blob, offset)
    assert matches(TOPICS.cluster_blobs(label), topic)
    others = (TOPICS.cluster_blobs(label + 1), TOPICS.model_blobs, TOPICS.every_blob)
    assert not any(matches(other, topic) for other in others)
    assert topic.count("/") <= 7


@given(st.text(max_size=60))
def test_other_topics_are_refused(topic):
    for parse in (TOPICS.parse_message, TOPICS.parse_blob):
        with pytest.raises(MalformedMessageError):
            parse(topic)


@pytest.mark.parametrize("offset", ["", "-1", "1.0", "٣", "9" * 30])
def test_an_offset_is_a_plain_number(offset):
    with pytest.raises(MalformedMessageError):
        TOPICS.parse_blob(f"site/vad/fl/street/a/blob/b/{offset}")


@pytest.mark.parametrize("name", [AGGREGATOR, "round", "a/b", "+", ""])
def test_names_that_would_be_other_topics_are_refused(name):
    with pytest.raises(ConfigError):
        check_participant(name)


def test_no_topic_is_deeper_than_brokers_take():
    with pytest.raises(ConfigError, match="too deep"):
        FederationTopics("a/b/c", "street")
