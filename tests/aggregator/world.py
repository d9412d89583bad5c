"""A whole federation in one thread: real state machines, real envelopes, a broker that loses,
repeats and delays what it is given, and processes that die in the middle of a step."""

import random
from functools import partial
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aggregator.compose import Site
from aggregator.metrics import Metrics
from aggregator.plan import Plan, begin
from aggregator.rounds import Improver, Rounds
from aggregator.secure import SecureRounds
from aggregator.serve import Service
from aggregator.store import Store
from aggregator.strategies.port import Strategy
from aggregator.strategies.registry import make_strategy
from aggregator.transfers import Uploads
from edge.federation.actions import Listen, Measure, Received, Say, SendChunks, Train
from edge.federation.desk import Desk
from edge.federation.packing import Packing
from edge.federation.participant import Participant
from edge.wire.broker import Message
from edge.wire.chunks import read_chunk, touched_chunks
from edge.wire.federation_topics import AGGREGATOR, FederationTopics
from edge.wire.letters import Letters, RepeatedMessageError
from edge.wire.masks import Passed, Roster
from edge.wire.rounds import (
    Accepted,
    Announcement,
    Component,
    Missing,
    Mode,
    Refused,
    Settings,
    decode_message,
    encode_message,
)
from tests.fakes.broker import FakeBroker
from tests.fakes.clusters import OBJECTS_OF_LABEL, label_of

TOPICS = FederationTopics("vad", "street")
SIZE = 40  # weights
ANSWERS = {kind.kind: kind for kind in (Accepted, Refused, Missing, Roster, Passed)}


class Killed(BaseException):
    """The process is gone, in the middle of whatever it did."""


class UnreliableBroker(FakeBroker):
    """Loses, repeats and delays; keeps what is retained."""

    def __init__(self, chance: random.Random, trouble: float) -> None:
        super().__init__()
        self.retained: dict[str, bytes] = {}
        self.delayed: list[Message] = []
        self._chance = chance
        self.trouble = trouble

    def _take(self, message: Message) -> None:
        if message.retain:
            self.retained[message.topic] = message.payload
        fate = self._chance.random()
        if fate < self.trouble / 3:
            return
        if fate < 2 * self.trouble / 3:
            self.delayed.append(message)
            return
        super()._take(message)
        if fate < self.trouble:
            super()._take(message)

    def deliver_late(self) -> None:
        late, self.delayed = self.delayed, []
        for message in late:
            super()._take(message)


class MortalStore(Store):
    """Dies now and then, just before or just after something is committed."""

    def __init__(self, path: Path, chance: random.Random, risk: float) -> None:
        super().__init__(path)
        self._db.execute("PRAGMA synchronous = OFF")  # the machine lives on
        self._chance, self.risk = chance, risk

    def accept(self, update, payload) -> None:
        self._perhaps_die()
        super().accept(update, payload)
        self._perhaps_die()

    def place(self, newcomers) -> None:
        self._perhaps_die()
        super().place(newcomers)
        self._perhaps_die()

    def add_masking(self, participant, kind, body) -> None:
        self._perhaps_die()
        super().add_masking(participant, kind, body)
        self._perhaps_die()

    def step_masking(self, current, kind, body) -> None:
        self._perhaps_die()
        super().step_masking(current, kind, body)
        self._perhaps_die()

    def finish_round(self, *outcome, **kept) -> None:
        self._perhaps_die()
        super().finish_round(*outcome, **kept)
        self._perhaps_die()

    def _perhaps_die(self) -> None:
        if self._chance.random() < self.risk:
            raise Killed


class Host:
    """A participant whose training is a known delta of its round; dies and comes back."""

    def __init__(self, name: str, world: "World") -> None:
        self.name, self.world = name, world
        self.heard: list[tuple[str, bytes]] = []
        self.trained: list[int] = []
        self.began_with: dict[int, np.ndarray] = {}  # round → the model that it trained on
        self.chunks: set[str] = set()  # branches whose chunks it would hear
        self.accepted: set[int] = set()  # rounds, as the aggregator told it
        world.broker.subscribe(TOPICS.every_down(name), self._hear)
        self.begin()

    def _hear(self, topic: str, payload: bytes) -> None:
        self.heard.append((topic, payload))

    def begin(self) -> None:
        """A new process."""
        self.desk = Desk(self.world.folder / self.name)
        self.participant = Participant(
            self.name,
            self.desk,
            Packing(),
            version="1",
            objects=lambda _: OBJECTS_OF_LABEL[label_of(self.name)],
            resend_s=1.0,
        )
        self.chunks = {TOPICS.model_blobs}
        keys = {AGGREGATOR: self.world.keys[AGGREGATOR].public_key()}
        self.letters = Letters(self.name, self.world.keys[self.name], keys, self.desk.heard)
        self.heard = []
        if TOPICS.round in self.world.broker.retained:
            self._hear(TOPICS.round, self.world.broker.retained[TOPICS.round])

    def delta(self, number: int) -> np.ndarray:
        seed = [sum(map(ord, self.name)), number]
        return np.random.default_rng(seed).standard_normal(SIZE).astype(np.float32)

    def step(self, now_s: float) -> None:
        heard, self.heard = self.heard, []
        actions = []
        for topic, payload in heard:
            actions += self._handle(topic, payload, now_s)
        for action in actions + self.participant.tick(now_s):
            self._do(action, now_s)

    def _handle(self, topic: str, payload: bytes, now_s: float):
        if TOPICS.is_blob(topic):
            _, blob, start = TOPICS.parse_blob(topic)
            return self.participant.chunk(blob, start, payload, now_s)
        retained = topic == TOPICS.round
        kind = Announcement.kind if retained else TOPICS.parse_message(topic)[1]
        try:
            body = self.letters.open(
                topic, payload, sender=AGGREGATOR, kind=kind, retained=retained
            )
        except RepeatedMessageError:
            return []
        if retained:
            self.desk.remember(self.letters.heard())
            return self.participant.announced(decode_message(body, Announcement), now_s)
        message = decode_message(body, ANSWERS[kind])
        if isinstance(message, Missing):
            return self.participant.missing(message)
        if isinstance(message, Refused):
            return self.participant.refused(message, now_s)
        if isinstance(message, Roster):
            return self.participant.roster(message, now_s)
        if isinstance(message, Passed):
            return self.participant.shares(message, now_s)
        self.accepted.add(message.round)
        return self.participant.accepted(message, now_s)

    def _do(self, action, now_s: float) -> None:
        if isinstance(action, Say):
            topic = TOPICS.up(self.name, action.message.kind)
            body = encode_message(action.message)
            self.world.publish(topic, self.letters.seal(topic, action.message.kind, body))
        elif isinstance(action, SendChunks):
            blob = action.work.offer.blob
            for start, end in touched_chunks(blob, action.missing.ranges):
                chunk = read_chunk(action.work.path, start, end)
                if chunk is not None:  # masked for a session that is over, and gone with it
                    self.world.publish(TOPICS.blob(self.name, blob.id, start), chunk)
        elif isinstance(action, Listen):
            label = action.cluster
            self.chunks = {TOPICS.model_blobs if label is None else TOPICS.cluster_blobs(label)}
        elif isinstance(action, Measure):
            component = Component(mean=1.0, variance=1.0, num_segments=5)
            self._more(self.participant.measured(component, now_s), now_s)
        elif isinstance(action, Train):
            self.trained.append(action.announcement.round)
            self.began_with[action.announcement.round] = action.model["w"]
            delta = {"w": self.delta(action.announcement.round)}
            self._more(self.participant.trained(delta, self.examples, now_s), now_s)
        else:
            assert isinstance(action, Received)

    def _more(self, actions, now_s: float) -> None:
        for action in actions:
            self._do(action, now_s)

    @property
    def examples(self) -> int:
        return 1 + sum(map(ord, self.name)) % 7


class World:
    """Everything, on one clock."""

    def __init__(
        self,
        folder: Path,
        names: tuple[str, ...],
        *,
        seed: int = 0,
        trouble: float = 0.0,
        risk: float = 0.0,
        strategy: Strategy | None = None,
        improver: Improver | None = None,
        **plan,
    ) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.now_s = 1000.0
        self.deaths = 0
        self.risk = risk
        self.broker = UnreliableBroker(self.chance, trouble)
        self.broker.start()
        self.keys = {name: Ed25519PrivateKey.generate() for name in (AGGREGATOR, *names)}
        settings = Settings(
            student={"head": "density"},
            spec_versions=("x-1",),
            plan={},
            rule={},
            compression=plan.pop("compression", "fp32"),
            mode=plan.pop("mode", Mode.SYNCHRONOUS),
            privacy=plan.pop("privacy", None),
            masking=plan.pop("masking", None),
            classes=strategy.classes if strategy else (),
        )
        defaults = {"quorum": len(names), "close_at": len(names), "rounds": 3}
        waits = {"round_s": 30.0, "statistics_s": 5.0, "collects_statistics": False}
        self.plan = Plan(settings=settings, **(defaults | waits | plan))
        self.strategy = strategy or make_strategy("fedavg")
        self.improver = improver
        self.model = {"w": np.arange(SIZE, dtype=np.float32)}
        self.begin_aggregator()
        self.broker.subscribe(TOPICS.round, self._to_all)  # the fake has one handler of a topic
        for branch in (TOPICS.model_blobs, TOPICS.cluster_blobs(0), TOPICS.cluster_blobs(1)):
            self.broker.subscribe(branch, partial(self._to_listeners, branch))
        self.hosts = {name: Host(name, self) for name in names}

    def _to_all(self, topic: str, payload: bytes) -> None:
        for host in self.hosts.values():
            host.heard.append((topic, payload))

    def _to_listeners(self, branch: str, topic: str, payload: bytes) -> None:
        for host in self.hosts.values():
            if branch in host.chunks:
                host.heard.append((topic, payload))

    def begin_aggregator(self) -> None:
        """A new process on what the last one committed."""
        self.store = MortalStore(self.folder / "aggregator.sqlite", self.chance, self.risk)
        if self.store.running() is None:
            begin(self.store, self.strategy, self.plan, self.model, self.now_s)
        keys = {name: key.public_key() for name, key in self.keys.items() if name != AGGREGATOR}
        kind = SecureRounds if self.plan.settings.masking else Rounds
        site = Site(
            store=self.store,
            rounds=kind(self.store, self.strategy, self.plan, self.improver),
            uploads=Uploads(self.folder / "uploads"),
            letters=Letters(AGGREGATOR, self.keys[AGGREGATOR], keys, self.store.sequences()),
            topics=TOPICS,
            broker=self.broker,
            metrics=Metrics(),
        )
        self.rounds = site.rounds
        self.service = Service(site, now_s=lambda: self.now_s)
        self.service.listen()

    def publish(self, topic: str, payload: bytes) -> None:
        self.broker.publish(Message(topic, payload), lambda _: None)

    def step(self, seconds: float = 0.5) -> None:
        self.now_s += seconds
        self.broker.deliver_late()
        for host in self.hosts.values():
            host.step(self.now_s)
        try:
            self.service.step(0.0)
        except Killed:
            self.restart_aggregator()

    def restart_aggregator(self) -> None:
        self.deaths += 1
        self.store.close()
        self.begin_aggregator()

    def run(self, steps: int = 400) -> None:
        """Until the federation is finished, and every answer is heard."""
        for _ in range(steps):
            self.step()
            if self.finished and all(host.desk.work is None for host in self.hosts.values()):
                return
        raise AssertionError(f"not finished: {self.store.running()}")

    @property
    def finished(self) -> bool:
        return self.store.running().number > self.plan.rounds

    def average(self, number: int, names) -> np.ndarray:
        """Of one round, weighted by examples, the plain way."""
        hosts = [self.hosts[name] for name in names]
        weighted = sum(host.examples * host.delta(number).astype(np.float64) for host in hosts)
        return weighted / sum(host.examples for host in hosts)
