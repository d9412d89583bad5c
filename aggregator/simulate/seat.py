"""A participant of a simulated federation as a process: a host's own code around a ``Learner``.

It talks to the broker as any host does, and over a pipe to the simulator, which judges: there it
tells which model it holds whenever a round brought one. It ends when the pipe does.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from pydantic import TypeAdapter

from aggregator.simulate.learner import Learner
from aggregator.simulate.site import FEDERATION, LOOPBACK, PREFIX
from aggregator.strategies.port import LocalRule
from edge import __version__
from edge.domain.weights import Weights
from edge.federation.actions import Received
from edge.federation.courier import Courier
from edge.federation.desk import Desk
from edge.federation.identity import load_identity
from edge.federation.ledger import Ledger
from edge.federation.packing import Packing
from edge.federation.participant import Participant
from edge.mqtt import MqttBroker, MqttSettings, Tls
from edge.training.local_round import weights_alone
from edge.training.pseudo_labels import Gaussian
from edge.wire.federation_topics import FederationTopics
from edge.wire.rounds import Announcement, Component

_RULE = TypeAdapter(LocalRule)


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a participant finds what it needs."""

    host: str  # its name on the broker
    port: int
    keys: Path  # what ``provision`` made for it
    data: Path
    tuned: bool  # judged by the round's model after one more local epoch


@dataclass(frozen=True, slots=True, eq=False)
class Holding:
    """What a participant has at the beginning of a round."""

    round: int
    fingerprint: str  # of the federation's model
    model: Weights  # that it is to be judged by
    is_own: bool  # ``model`` is not just the federation's
    bytes_up: int  # that have left it so far, by its ledger


class LearnerTrainer:
    """The courier's ``Trainer``: trains as the simulation does without a broker."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._heard = False  # whether the teacher knows everybody's statistics

    def statistics(self, announcement: Announcement) -> Component | None:
        """Norms of the normal segments; the same in every round."""
        del announcement
        own = self._learner.teacher.statistics()
        if own is None:
            return None
        return Component(mean=own.mean, variance=own.variance, num_segments=own.num_segments)

    def train(self, announcement: Announcement, model: Weights) -> tuple[Weights, int]:
        """One round; raises TrainingError."""
        if not self._heard:  # once: refined labels are not to be lost
            mixture = [Gaussian(c.mean, c.variance, c.num_segments) for c in announcement.mixture]
            self._learner.teacher.hear(mixture)
            self._heard = True
        rule = _RULE.validate_python(announcement.settings.rule)
        update = self._learner.train(model, announcement.round, rule)
        return update.delta, update.num_examples


def attend(learner: Learner, seat: Seat, talk: Connection) -> None:
    """Be a participant until the other end of ``talk`` is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the simulator hears it too, and closes ``talk``
    logging.basicConfig(level=logging.ERROR, format=f"participant {learner.name}: %(message)s")
    torch.set_num_threads(1)  # as without a broker: sums in another order are other sums
    if not seat.keys.exists():  # the simulator was interrupted, and has cleared up
        return
    stop = threading.Event()
    threading.Thread(target=_leave_with, args=(talk, stop), daemon=True).start()
    ledger = Ledger(seat.data / "ledger.sqlite")
    broker = _broker(seat)

    def tell(received: Received) -> None:
        try:
            talk.send(_holding(learner, seat, received, ledger))
        except OSError:  # nobody is there any more
            stop.set()

    courier = _courier(learner, seat, broker, ledger, tell)
    broker.start()
    try:
        courier.run(stop)
    finally:
        logging.disable()  # of a connection that we end ourselves MQTT complains
        broker.stop()
        ledger.close()


def _holding(learner: Learner, seat: Seat, received: Received, ledger: Ledger) -> Holding:
    number, shared = received.announcement.round, weights_alone(received.model)
    tuned = seat.tuned and number > 1  # the first model is nobody's result
    model = learner.personalised(shared, number - 1) if tuned else learner.model(shared)
    return Holding(
        round=number,
        fingerprint=received.announcement.fingerprint,
        model=model,
        is_own=model is not shared,
        bytes_up=sum(total.size_bytes for total in ledger.totals().values()),
    )


def _courier(
    learner: Learner,
    seat: Seat,
    broker: MqttBroker,
    ledger: Ledger,
    tell: Callable[[Received], None],
) -> Courier:
    desk = Desk(seat.data)
    return Courier(
        Participant(seat.host, desk, Packing(), version=__version__),
        desk=desk,
        identity=load_identity(
            seat.host,
            signing_key=seat.keys / "signing.key",
            aggregator_key=seat.keys / "aggregator.pub",
        ),
        broker=broker,
        topics=FederationTopics(PREFIX, FEDERATION),
        ledger=ledger,
        trainer=LearnerTrainer(learner),
        on_model=tell,
    )


def _broker(seat: Seat) -> MqttBroker:
    keys = seat.keys
    tls = Tls(keys / "ca.crt", keys / "host.crt", keys / "host.key")
    return MqttBroker(MqttSettings(LOOPBACK, seat.port, f"simulate-{seat.host}", tls=tls))


def _leave_with(talk: Connection, stop: threading.Event) -> None:
    """The simulator says nothing; it closes the pipe when it ends, however that ends."""
    try:
        talk.recv()
    except (EOFError, OSError):
        stop.set()
