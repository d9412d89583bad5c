"""A participant as a process of its own, whose training is a line of numpy; see test_federation."""

import json
import logging
import sys
import time
from pathlib import Path

import numpy as np

from edge.federation.courier import Courier
from edge.federation.desk import Desk
from edge.federation.identity import load_identity
from edge.federation.ledger import Ledger
from edge.federation.packing import Packing
from edge.federation.participant import Participant
from edge.mqtt import MqttBroker, MqttSettings, Tls
from edge.signals import stop_on_signals
from edge.wire.federation_topics import FederationTopics
from edge.wire.rounds import Component


def target_of(seed: int, size: int, kind: int | None = None) -> np.ndarray:
    """Where a host would have its weights; those of one kind would have them side by side."""
    own = np.random.default_rng(seed).standard_normal(size, dtype=np.float32)
    return own if kind is None else target_of(kind, size) + np.float32(0.1) * own


class HalfWay:
    """Moves every weight half of the way towards the host's own target."""

    def __init__(self, folder: Path, options: dict) -> None:
        self._log = folder / "trained"
        self._seed, self._kind = options["seed"], options["kind"]
        self._takes_s = options["takes_s"]
        self._of_all = options["statistics_of"]

    def statistics(self, announcement):
        return Component(mean=float(self._seed), variance=1.0, num_segments=10)

    def train(self, announcement, model):
        assert len(announcement.mixture) == self._of_all
        time.sleep(self._takes_s)
        with self._log.open("a") as log:
            log.write(f"{announcement.round}\n")
        delta = {}
        for name, array in model.items():
            target = target_of(self._seed, array.size, self._kind).reshape(array.shape)
            delta[name] = (target - array) / np.float32(2)
        return delta, 10 * (1 + self._seed)


def main(path: Path) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    options = json.loads(path.read_text())
    stop = stop_on_signals()
    name, folder, keys = options["name"], path.parent / "data", Path(options["keys"])
    identity = load_identity(
        name, signing_key=keys / "signing.key", aggregator_key=keys / "aggregator.pub"
    )
    tls = Tls(keys / "ca.crt", keys / "host.crt", keys / "host.key")
    broker = MqttBroker(MqttSettings("127.0.0.1", options["port"], f"fl-{name}", tls=tls))
    desk = Desk(folder)
    courier = Courier(
        Participant(
            name,
            desk,
            Packing(),
            version="test",
            resend_s=1.0,
            objects=lambda _: tuple(options["objects"]),
        ),
        desk=desk,
        identity=identity,
        broker=broker,
        topics=FederationTopics("vad", options["federation"]),
        ledger=Ledger(folder / "ledger.sqlite"),
        trainer=HalfWay(path.parent, options),
        on_model=lambda received: (path.parent / "model").write_text(
            received.announcement.fingerprint
        ),
    )
    broker.start()
    try:
        courier.run(stop)
    finally:
        broker.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
