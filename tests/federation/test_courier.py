"""The courier on a broker in memory: what leaves is written down, what is heard is checked."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.errors import StorageError, TrainingError
from edge.federation.courier import Courier
from edge.federation.desk import Desk
from edge.federation.identity import Identity
from edge.federation.ledger import Ledger
from edge.federation.objects import ObjectShares
from edge.federation.packing import Packing
from edge.federation.participant import Participant
from edge.wire.broker import Message
from edge.wire.chunks import blob_of
from edge.wire.federation_topics import AGGREGATOR, FederationTopics
from edge.wire.letters import Letters
from edge.wire.rounds import (
    Announcement,
    ClusterNotice,
    Join,
    Missing,
    Phase,
    Privacy,
    Settings,
    UpdateOffer,
    decode_message,
    encode_message,
)
from edge.wire.weights import encode_weights, fingerprint
from tests.fakes.broker import FakeBroker

TOPICS = FederationTopics("vad", "street")
MODEL = {"w": np.arange(6, dtype=np.float32)}
BLOB = encode_weights(MODEL)
HEADER = blob_of(BLOB)
PATIENCE_S = 20.0


class Trainer:
    """Adds one, or raises what it is told to."""

    failure: Exception | None = None

    def statistics(self, announcement):
        return None

    def train(self, announcement, model):
        if self.failure is not None:
            raise self.failure
        return {name: np.ones_like(array) for name, array in model.items()}, 7


class Street:
    """One courier in its thread, and an aggregator's pen."""

    def __init__(self, folder: Path) -> None:
        keys = {name: Ed25519PrivateKey.generate() for name in (AGGREGATOR, "door")}
        self.letters = Letters(
            AGGREGATOR, keys[AGGREGATOR], {"door": keys["door"].public_key()}, {}
        )
        self.broker = FakeBroker()
        self.ledger = Ledger(folder / "ledger.sqlite")
        self.trainer = Trainer()
        desk = Desk(folder / "desk")
        objects = ObjectShares(lambda: {"person": 60, "cat": 20}, path=folder / "shares.json")
        self.courier = Courier(
            Participant("door", desk, Packing(), version="1", objects=objects),
            desk=desk,
            identity=Identity("door", keys["door"], keys[AGGREGATOR].public_key()),
            broker=self.broker,
            topics=TOPICS,
            ledger=self.ledger,
            trainer=self.trainer,
            holds=objects.holds,
        )
        self.broker.start()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.courier.run, args=(self._stop,))
        self._thread.start()
        self.until(lambda: len(self.broker._handlers) == 3)

    def end(self) -> None:
        self._stop.set()
        self._thread.join()
        self.ledger.close()

    def until(self, condition) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline_s, self.broker.received
            time.sleep(0.005)

    def tell(self, topic: str, kind: str, message) -> None:
        sealed = self.letters.seal(topic, kind, encode_message(message))
        self.broker.publish(Message(topic, sealed), lambda _: None)

    def announce(self, *clusters: ClusterNotice, **more) -> None:
        announcement = Announcement(
            run="r",
            round=1,
            phase=Phase.UPDATES,
            deadline_s=1e9,
            model=HEADER,
            fingerprint=fingerprint(MODEL),
            settings=Settings(
                student={}, spec_versions=(), plan={}, rule={}, compression="fp32", **more
            ),
            clusters=clusters,
        )
        self.tell(TOPICS.round, "round", announcement)

    def give_model(self) -> None:
        self.broker.publish(Message(TOPICS.blob(AGGREGATOR, HEADER.id, 0), BLOB), lambda _: None)

    def said(self, kind) -> list:
        topic = TOPICS.up("door", kind.kind)
        self.until(lambda: self.broker.payloads(topic))
        return [
            decode_message(self.letters.open(topic, payload, sender="door", kind=kind.kind), kind)
            for payload in self.broker.payloads(topic)
        ]


@pytest.fixture
def street(tmp_path: Path):
    made = Street(tmp_path)
    yield made
    made.end()


def test_a_round_from_the_announcement_to_the_update_s_bytes(street: Street):
    street.announce()
    (missing,) = street.said(Missing)
    assert missing.ranges == ((0, len(BLOB)),)
    street.give_model()
    (offer,) = street.said(UpdateOffer)
    assert (offer.round, offer.num_examples) == (1, 7)
    wanted = Missing(blob=offer.blob.id, ranges=((0, offer.blob.size_bytes),))
    street.tell(TOPICS.down("door", "missing"), "missing", wanted)
    topic = TOPICS.blob("door", offer.blob.id, 0)
    street.until(lambda: street.broker.payloads(topic))
    assert blob_of(street.broker.payloads(topic)[0]) == offer.blob
    left = {schema: total.messages for schema, total in street.ledger.totals().items()}
    assert left == {"fl-missing-1": 1, "fl-join-1": 1, "fl-update-1": 1, "fl-blob-1": 1}


def test_what_cannot_be_written_down_does_not_leave(street: Street, monkeypatch, caplog):
    def full(*_):
        raise StorageError("the disk is full")

    monkeypatch.setattr(street.ledger, "depart", full)
    street.announce()
    street.until(lambda: "the disk is full" in caplog.text)
    assert not any("/door/" in message.topic for message in street.broker.received)


def test_an_announcement_of_somebody_else_is_not_believed(street: Street, caplog):
    street.letters = Letters(AGGREGATOR, Ed25519PrivateKey.generate(), {}, {})
    street.announce()
    street.until(lambda: "an announcement is not believed" in caplog.text)
    assert not any("/door/" in message.topic for message in street.broker.received)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [(TrainingError("the loss diverged"), "the loss diverged"), (ValueError("x"), "internal")],
)
def test_whatever_happens_to_the_trainer_the_aggregator_is_told(
    street: Street, failure: Exception, reason: str
):
    street.trainer.failure = failure
    street.announce()
    street.said(Missing)
    street.give_model()
    street.until(lambda: len(street.broker.payloads(TOPICS.up("door", "join"))) == 2)
    began, gave_up = street.said(Join)
    assert (began.takes_part, gave_up.takes_part) == (True, False)
    assert reason in gave_up.reason


def test_noise_on_the_topics_ends_nothing(street: Street, caplog):
    for topic in (TOPICS.round, TOPICS.down("door", "accepted"), TOPICS.down("door", "x")):
        street.broker.publish(Message(topic, b"noise"), lambda _: None)
    street.broker.publish(Message("vad/fl/street/aggregator/blob/x/y", b""), lambda _: None)
    street.tell(
        TOPICS.down("door", "unknown"), "unknown", Join(round=1, takes_part=True, version="")
    )
    street.announce()
    assert street.said(Missing)
    assert caplog.text.count("not believed") == 5


@pytest.mark.parametrize(("noise", "how"), [(0.0, "without noise"), (0.5, "noised")])
def test_shares_of_what_is_seen_go_with_the_join_and_the_ledger_says_so(
    street: Street, noise: float, how: str
):
    privacy = Privacy(clip_norm=1.0, noise_multiplier=noise)
    street.announce(classes=("person", "other"), privacy=privacy)
    street.said(Missing)
    street.give_model()
    (join,) = street.said(Join)
    assert (join.objects == (0.75, 0.25)) is (noise == 0)
    (entry,) = [each for each in street.ledger.entries() if each.schema == "fl-join-1"]
    assert entry.holds == f"shares of 2 classes, {how}"
    (held,) = street.ledger.holdings().values()
    assert held.size_bytes == entry.size_bytes > 0


def test_chunks_of_its_own_cluster_s_model_alone_are_heard(street: Street):
    own = ClusterNotice(label=3, model=HEADER, fingerprint=fingerprint(MODEL), members=("door",))
    street.announce(own)
    street.said(Missing)
    heard = set(street.broker._handlers) - {TOPICS.round, TOPICS.every_down("door")}
    assert heard == {TOPICS.cluster_blobs(3)}
    street.broker.publish(Message(TOPICS.cluster_blob(3, HEADER.id, 0), BLOB), lambda _: None)
    assert street.said(UpdateOffer)
    street.announce(own.model_copy(update={"label": 4}))
    street.until(lambda: TOPICS.cluster_blobs(4) in street.broker._handlers)
    assert TOPICS.cluster_blobs(3) not in street.broker._handlers
