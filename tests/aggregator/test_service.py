"""What the aggregating process does with bytes that it should not believe."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.wire.letters import Letters
from edge.wire.rounds import (
    Blob,
    Join,
    Missing,
    Refused,
    UpdateOffer,
    decode_message,
    encode_message,
)
from tests.aggregator.world import TOPICS, World
from tests.fakes.clusters import ByName

JOIN = encode_message(Join(round=1, takes_part=True, version="1"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, ("attic", "door"))


def member(world: World, name: str):
    return next((m for m in world.store.members() if m.name == name), None)


def test_a_forged_message_is_refused_under_the_name_but_ends_no_update(world: World, caplog):
    topic = TOPICS.up("attic", "join")
    forger = Letters("attic", Ed25519PrivateKey.generate(), {}, {})
    world.publish(topic, forger.seal(topic, "join", JOIN))
    world.service.step(0.0)
    assert member(world, "attic").refused == 1
    assert "signature" in member(world, "attic").reason
    assert "attic is refused" in caplog.text
    (payload,) = world.broker.payloads(TOPICS.down("attic", "refused"))
    body = world.hosts["attic"].letters.open(
        TOPICS.down("attic", "refused"), payload, sender="aggregator", kind="refused"
    )
    assert decode_message(body, Refused).update is None


def test_a_repeated_message_is_no_offence(world: World):
    topic = TOPICS.up("attic", "join")
    sealed = world.hosts["attic"].letters.seal(topic, "join", JOIN)
    for _ in range(3):
        world.publish(topic, sealed)
    world.service.step(0.0)
    assert member(world, "attic").refused == 0


def test_strangers_are_named_once_and_not_answered(world: World, caplog):
    stranger = Letters("stranger", Ed25519PrivateKey.generate(), {}, {})
    topic = TOPICS.up("stranger", "join")
    for _ in range(3):
        world.publish(topic, stranger.seal(topic, "join", JOIN))
    world.service.step(0.0)
    assert caplog.text.count("stranger is not registered") == 1
    assert member(world, "stranger") is None
    assert not any("stranger/down" in message.topic for message in world.broker.received)


@pytest.mark.parametrize("kind", ["join", "statistics", "update", "missing", "keys", "other"])
def test_a_message_that_makes_no_sense_is_refused(world: World, kind: str):
    topic = TOPICS.up("attic", kind)
    world.publish(topic, world.hosts["attic"].letters.seal(topic, kind, b"{}"))
    world.service.step(0.0)
    assert member(world, "attic").refused == 1


@pytest.mark.parametrize("topic", ["vad/fl/street/attic/blob/x/notanumber"])
def test_chunks_of_nothing_are_ignored(world: World, topic: str):
    world.publish(topic, b"x")
    world.publish(TOPICS.blob("attic", "0" * 64, 0), b"x")
    world.service.step(0.0)
    assert len(world.service._uploads) == 0


@pytest.fixture
def clustered(tmp_path: Path) -> World:
    """In its second round: attic is in cluster 1, door in cluster 0."""
    made = World(tmp_path, ("attic", "door"), strategy=ByName(), rounds=9)
    while made.store.running().number < 2:
        made.step()
    made.service.step(0.0)
    return made


def ask_for(world: World, participant: str, model: Blob) -> list[str]:
    """Topics of the chunks that a question for a model brings."""
    before = len(world.broker.received)
    topic = TOPICS.up(participant, "missing")
    missing = encode_message(Missing(blob=model.id, ranges=((0, model.size_bytes),)))
    world.publish(topic, world.hosts[participant].letters.seal(topic, "missing", missing))
    world.service.step(0.0)
    received = world.broker.received[before:]
    return [message.topic for message in received if "/aggregator/" in message.topic]


def test_a_cluster_s_model_travels_on_its_own_topics_and_for_its_members_alone(clustered: World):
    of_door, of_attic = clustered.rounds.announcement.clusters
    topic = TOPICS.cluster_blob(of_attic.label, of_attic.model.id, 0)
    assert ask_for(clustered, "attic", of_attic.model) == [topic]
    assert ask_for(clustered, "attic", of_door.model) == []
    assert ask_for(clustered, "attic", clustered.rounds.announcement.model) == []


def test_shares_that_make_no_sense_are_answered(clustered: World):
    topic = TOPICS.up("attic", "join")
    join = Join(round=2, takes_part=True, version="1", objects=(1.0,))
    clustered.publish(
        topic, clustered.hosts["attic"].letters.seal(topic, "join", encode_message(join))
    )
    clustered.service.step(0.0)
    assert "1 classes of objects" in member(clustered, "attic").reason
    assert clustered.broker.payloads(TOPICS.down("attic", "refused"))


def test_the_announcement_is_retained_and_said_again_to_a_new_broker(world: World):
    world.service.step(0.0)
    assert TOPICS.round in world.broker.retained
    world.broker.go()
    world.broker.retained.clear()
    world.broker.come(remembering=False)
    world.service.step(0.0)
    assert TOPICS.round in world.broker.retained


def test_the_figures_tell_how_the_round_stands(world: World):
    world.run()
    read = world.service._metrics.registry.get_sample_value
    assert read("vad_aggregator_round") == 4
    assert read("vad_aggregator_broker_connected") == 1
    world.now_s += 100.0
    world.service.step(0.0)
    assert read("vad_aggregator_updates_accepted", {"participant": "door"}) == 3


def offered(world: World) -> UpdateOffer:
    for _ in range(100):
        world.step()
        if world.hosts["attic"].desk.work is not None:
            return world.hosts["attic"].desk.work.offer
    raise AssertionError


def test_a_transfer_that_went_wrong_ends_no_update(world: World):
    world.hosts.pop("door")
    offer = offered(world)
    bad = bytes(offer.blob.size_bytes)
    world.service._handle(TOPICS.blob("attic", offer.blob.id, 0), bad)
    for _ in range(20):
        world.step()
    assert "hash" in member(world, "attic").reason
    assert world.hosts["attic"].accepted == {1}


def test_the_sequences_are_written_when_they_change_alone(world: World, monkeypatch):
    written = []
    monkeypatch.setattr(world.store, "save_sequences", written.append)
    world.service.step(0.0)
    count = len(written)
    for _ in range(10):
        world.now_s += 10.0
        world.service._keep_heard(world.now_s)
    assert len(written) <= count + 1


def test_our_own_chunks_take_no_place_of_others(world: World):
    world.service._hear(TOPICS.blob("aggregator", "0" * 64, 0), b"x")
    assert world.service._inbox.take(0.0) == []


def test_a_topic_forges_no_line_in_the_log(world: World, caplog):
    for participant in ("attic", "stranger"):
        world.publish(f"vad/fl/street/{participant}\nERROR x/up/join", b"x")
        world.publish(f"vad/fl/street/{participant}/blob/x/y\nERROR x", b"x")
    world.service.step(0.0)
    assert len(caplog.messages) == 4
    assert not any("\n" in message for message in caplog.messages)
