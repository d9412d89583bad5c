"""A host in a federation: carries the rounds' messages, trains for them, adopts their results.

Three threads: the courier talks, its own trains, and the calling one adopts. Only the latest model
is tried: what arrives meanwhile replaces what has not begun yet. Training and trying take turns.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from edge import __version__
from edge.atomic import write_atomically
from edge.compose import (
    DAY_S,
    budget_path,
    enabled_cameras,
    federation_path,
    ledger_path,
    mqtt_settings,
    store_path,
)
from edge.config import EdgeConfig, FederationSection
from edge.errors import FeatureVersionError, VadError
from edge.federation.actions import Received
from edge.federation.courier import Courier
from edge.federation.desk import Desk
from edge.federation.identity import load_identity
from edge.federation.ledger import Ledger
from edge.federation.objects import ObjectShares
from edge.federation.packing import Packing
from edge.federation.participant import Participant
from edge.federation.privacy_budget import PrivacyBudget
from edge.federation.terms import Terms
from edge.federation.trainer import HostTrainer
from edge.host_footage import Footage, read_footage
from edge.learn import Report, adopt, note, report_of
from edge.mqtt import MqttBroker
from edge.scoring.student import INPUTS
from edge.training.census import objects_seen
from edge.training.teaching import Teacher
from edge.wire.federation_topics import FederationTopics

log = logging.getLogger(__name__)

FIRST_RESULT = 2  # the model of round 1 is nobody's work yet
LOOK_EVERY_S = 0.5


def take_part(
    config: EdgeConfig,
    federation: FederationSection,
    *,
    stop: threading.Event,
    on_report: Callable[[Report], None],
) -> None:
    """Be a participant until ``stop`` is set; ``on_report`` hears of every model that was tried.

    Raises ConfigError where keys or names cannot be used, StorageError where the host's folder
    cannot, VadError where the courier ended by itself.
    """
    member = Member(config, federation, stop)
    member.broker.start()
    courier = threading.Thread(target=member.courier.run, args=(stop,), name="courier")
    courier.start()
    try:
        while not stop.wait(LOOK_EVERY_S):
            if not courier.is_alive():
                raise VadError("internal error: the courier has died; see the log")
            member.adopt_latest(on_report)
    finally:
        stop.set()
        courier.join()
        member.broker.stop()
        member.ledger.close()


class Member:
    """The parts of one participant, put together; its broker is not connected yet."""

    def __init__(
        self, config: EdgeConfig, federation: FederationSection, stop: threading.Event
    ) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._latest: Received | None = None
        self._tried = federation_path(config) / "tried"  # fingerprint of the latest such model
        self._footage: Footage | None = None
        folder = federation_path(config)
        identity = load_identity(
            config.host,
            signing_key=federation.signing_key,
            aggregator_key=federation.aggregator_key,
        )
        topics = FederationTopics(config.mqtt.prefix, federation.name)
        desk = Desk(folder)
        self.ledger = Ledger(ledger_path(config))
        self.trainer = HostTrainer(config.host, self._teach, folder=folder, should_stop=stop.is_set)
        name = f"{config.mqtt.prefix}-{config.host}-learn"
        self.broker = MqttBroker(mqtt_settings(config.mqtt, client_id=name))
        budget = self._budget(federation)
        objects = ObjectShares(self._seen, path=folder / "shares.json", budget=budget)
        self.courier = Courier(
            Participant(config.host, desk, Packing(budget), version=__version__, objects=objects),
            desk=desk,
            identity=identity,
            broker=self.broker,
            topics=topics,
            ledger=self.ledger,
            trainer=self.trainer,
            on_model=self.hear,
            holds=objects.holds,
        )

    def hear(self, received: Received) -> None:
        """A model of the federation is here; called by the courier, never waits."""
        if received.announcement.round >= FIRST_RESULT:
            with self._lock:
                self._latest = received

    def adopt_latest(self, on_report: Callable[[Report], None]) -> None:
        """Personalise and try the newest model, if there is one that was not tried yet."""
        with self._lock:
            received, self._latest = self._latest, None
        if received is None or received.announcement.fingerprint == self._tried_last():
            return
        try:
            report = self._try(received)
        except VadError as error:
            log.error("round %d: its model is not tried: %s", received.announcement.round, error)
            note(self._config, "failed", str(error))
            return
        write_atomically(self._tried, received.announcement.fingerprint.encode())
        note(self._config, "adopted" if report.adopted else "refused", report.text)
        on_report(report)

    def _tried_last(self) -> str:
        return self._tried.read_text() if self._tried.exists() else ""

    def _try(self, received: Received) -> Report:
        began_s = time.monotonic()
        announcement = received.announcement
        terms, trained = self.trainer.personalised(announcement, received.model)
        footage = self._footage
        assert footage is not None  # the trainer has just had a teacher
        provenance: dict[str, str | int | float] = {
            "round": announcement.round,
            "model": announcement.fingerprint,
        }
        tried = adopt(self._config, footage, terms.spec, trained.weights, provenance)
        return report_of(
            tried,
            footage,
            num_examples=trained.num_examples,
            loss=trained.loss,
            seconds=time.monotonic() - began_s,
        )

    def _teach(self, terms: Terms) -> Teacher:
        """Read the footage for a round's student; NotLearntError where there is too little."""
        computed = tuple(spec.spec_version for spec in INPUTS[terms.spec.head])
        if terms.spec_versions != computed:
            raise FeatureVersionError(
                f"the federation learns from {', '.join(terms.spec_versions) or 'nothing'}, this "
                f"program computes {', '.join(computed)}: all hosts need the same vad-edge"
            )
        self._footage = read_footage(self._config, terms.spec.head, until_s=time.time())
        return self._footage.teacher

    def _seen(self) -> Mapping[str, int]:
        """Objects of each class that the store's cameras saw, as long as it remembers."""
        since_s = time.time() - self._config.learning.store.max_age_days * DAY_S
        cameras = [camera for camera, _ in enabled_cameras(self._config)]
        return objects_seen(store_path(self._config), cameras, since_s=since_s)

    def _budget(self, federation: FederationSection) -> PrivacyBudget | None:
        limit = federation.privacy
        if limit is None:
            return None
        return PrivacyBudget(budget_path(self._config), epsilon=limit.epsilon, delta=limit.delta)
