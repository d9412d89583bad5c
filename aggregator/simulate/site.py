"""The place of one federation: a private mosquitto on loopback, and the aggregator as it is.

Keys, certificates and the access list are those that ``aggregator.provision`` makes for any site.
Everything lies in one folder and goes with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from aggregator.compose import STORE
from aggregator.provision import Site, broker_config, prepare, provision
from aggregator.simulate.channel import Terms
from aggregator.simulate.recipes import Recipe
from aggregator.strategies.port import Strategy
from edge.domain.weights import Weights
from edge.errors import ConfigError, TrainingError
from edge.model.spec import StudentSpec
from edge.wire.masks import least_threshold
from edge.wire.weights import encode_weights

LOOPBACK = "127.0.0.1"
PREFIX, FEDERATION = "vad", "simulation"
BEYOND_PATH = ("/usr/sbin", "/usr/local/sbin")  # where mosquitto lies, and few users look
ROUND_S = 900.0  # a participant that fails without a word costs a round so long
LISTENS_S, LEAVES_S = 10.0, 10.0
LAST_WORDS = 400  # characters of a log, in an error


def find_mosquitto() -> str:
    """The broker's program; ConfigError where there is none."""
    found = shutil.which("mosquitto", path=os.pathsep.join([os.environ["PATH"], *BEYOND_PATH]))
    if found is None:
        raise ConfigError(
            "--backend broker: mosquitto is not installed here; install it (`apt install "
            "mosquitto`), or use --backend inline"
        )
    return found


class Program:
    """A process that is to run until it is told to leave."""

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self._name = name
        self._log = folder / f"{name}.log"
        modules = os.pathsep.join(filter(None, sys.path))  # of a plug-in too
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": modules}
            )

    def check(self) -> None:
        """Raise TrainingError where it has ended."""
        if self._process.poll() is not None:
            said = self._log.read_text(errors="replace")[-LAST_WORDS:].strip()
            raise TrainingError(f"the {self._name} has ended by itself: {said or 'no message'}")

    def stop(self) -> None:
        """Ask it to leave, and wait."""
        self._process.terminate()
        try:
            self._process.wait(LEAVES_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class FederationSite:
    """Folder, keys, broker and aggregator of one federation."""

    def __init__(self, folder: Path, hosts: Sequence[str]) -> None:
        """Make the keys of all ``hosts``."""
        self.folder = folder
        self.port = _free_port()
        self._keys = Site(folder / "keys", PREFIX, FEDERATION, [LOOPBACK], self.port)
        self._programs: list[Program] = []
        prepare(self._keys)
        for host in hosts:
            provision(self._keys, host)

    @property
    def store(self) -> Path:
        """The aggregator's memory."""
        return self.folder / "data" / STORE

    def keys_of(self, host: str) -> Path:
        """What a host was given."""
        return self._keys.host_folder(host)

    @contextmanager
    def running(self, config: dict[str, Any]) -> Iterator[None]:
        """Broker and aggregator; the latter is configured by ``config`` and what is known here."""
        try:
            self._start_broker()
            self._start_aggregator(config)
            yield
        finally:
            for program in reversed(self._programs):
                program.stop()

    def check(self) -> None:
        """Raise TrainingError where broker or aggregator have ended."""
        for program in self._programs:
            program.check()

    def _start_broker(self) -> None:
        config = broker_config(self.port, str(self._keys.folder / "broker"))
        here = config.replace(f"listener {self.port}\n", f"listener {self.port} {LOOPBACK}\n")
        path = self.folder / "mosquitto.conf"
        # who runs as root keeps that here: another user could not read the keys
        path.write_text(f"user root\n{here}")
        broker = Program("broker", [find_mosquitto(), "-c", str(path)], self.folder)
        self._programs.append(broker)
        deadline_s = time.monotonic() + LISTENS_S
        while not _listens(self.port):
            broker.check()
            if time.monotonic() > deadline_s:
                raise TrainingError(f"the broker does not listen after {LISTENS_S:.0f} s")
            time.sleep(0.05)  # it tells nobody when it does

    def _start_aggregator(self, config: dict[str, Any]) -> None:
        keys = self._keys.folder
        tls = {"ca": "ca.crt", "cert": "aggregator.crt", "key": "aggregator.key"}
        here = {
            "federation": FEDERATION,
            "data_dir": str(self.store.parent),
            "keys_dir": str(keys),
            "mqtt": {
                "host": LOOPBACK,
                "port": self.port,
                "prefix": PREFIX,
                "tls": {name: str(keys / file) for name, file in tls.items()},
            },
        }
        path = self.folder / "aggregator.yaml"
        path.write_text(yaml.safe_dump({**config, **here}))
        command = [sys.executable, "-m", "aggregator.cli", "run", "-c", str(path)]
        self._programs.append(Program("aggregator", command, self.folder))


def write_first_model(path: Path, spec: StudentSpec, weights: Weights) -> None:
    """What a federation begins with."""
    about = {"student": json.dumps(spec.as_json()), "spec_versions": json.dumps([FEDERATION])}
    path.write_bytes(encode_weights(weights, metadata=about))


def aggregator_config(
    recipe: Recipe, terms: Terms, strategy: Strategy, name: str, *, able: int, max_examples: int
) -> dict[str, Any]:
    """What of ``aggregator.yaml`` a run decides.

    ``able``: participants of which a round can expect an update; ``max_examples``: of any of them.
    """
    quorum, secure = strategy.min_updates, None
    if terms.secure:
        threshold = least_threshold(able)
        quorum = max(quorum, threshold)
        secure = {
            "threshold": threshold,
            "max_examples": max_examples,
            "step_timeout_s": ROUND_S,
        }
    privacy = None
    if terms.clip_norm is not None or terms.secure:  # masks need a bound
        privacy = {
            "clip_norm": terms.clip_norm or recipe.clip_norm,
            "noise_multiplier": terms.noise_multiplier,
        }
    return {
        "rounds": {
            "quorum": quorum,
            "close_at": able,
            "timeout_s": ROUND_S,
            "statistics_timeout_s": ROUND_S,
            "count": recipe.rounds,
        },
        "strategy": {"name": name, "options": dict(recipe.strategy.get(name, {}))},
        "plan": json.loads(json.dumps(asdict(recipe.plan))),  # YAML has no tuples
        "compression": None if terms.secure else terms.compression,
        "privacy": privacy,
        "secure": secure,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port)):
        return True
    return False
