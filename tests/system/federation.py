"""A federation of real processes, each of which can be killed and started again: mosquitto with TLS
and an access list, one aggregator, and hosts that train a line of numpy."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aggregator.provision import Site, prepare, provision
from aggregator.store import Store
from edge.domain.weights import Weights
from edge.errors import StorageError
from edge.wire.weights import encode_weights
from tests.system.broker import MOSQUITTO, free_port

ROOT = Path(__file__).parents[2]
PATIENCE_S = 300.0
TOLD_LINES = 60  # of each log, where something fails: a broker's holds ten thousands
CONFIG = """
federation: street
data_dir: data
keys_dir: keys
model: initial.safetensors
mqtt:
  port: {port}
  tls: {{ca: keys/ca.crt, cert: keys/aggregator.crt, key: keys/aggregator.key}}
rounds: {{quorum: {quorum}, timeout_s: 60, statistics_timeout_s: 60, count: {rounds}}}
{how}
"""


@dataclass(frozen=True)
class Host:
    """What a host is like."""

    seed: int
    takes_s: float  # to train
    kind: int | None = None  # hosts of one kind have targets beside each other
    objects: tuple[float, ...] = ()
    statistics_of: int = 0  # hosts whose statistics every round begins with


class Federation:
    """All processes, each of which can be killed and started again."""

    def __init__(
        self,
        folder: Path,
        hosts: Mapping[str, Host],
        *,
        model: Weights,
        student: Mapping[str, Any],
        rounds: int,
        quorum: int,
        how: str,
    ) -> None:
        """``model`` is what all begin with, ``how`` more of the aggregator's configuration."""
        self.folder = folder
        self.port = free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        site = Site(folder / "keys", "vad", "street", ["127.0.0.1"], self.port)
        prepare(site)
        for host in hosts:
            provision(site, host)
        text = CONFIG.format(port=self.port, rounds=rounds, quorum=quorum, how=how)
        (folder / "aggregator.yaml").write_text(text)
        about = {"student": json.dumps(student), "spec_versions": "[]"}
        (folder / "initial.safetensors").write_bytes(encode_weights(model, metadata=about))
        self._write_broker()
        for name, host in hosts.items():
            self._write_host(name, host)

    def _write_broker(self) -> None:
        broker = self.folder / "keys" / "broker"
        config = (broker / "mosquitto.conf").read_text()
        config = config.replace("/etc/mosquitto/vad-edge", str(broker))
        (self.folder / "mosquitto.conf").write_text(f"user root\n{config}")

    def _write_host(self, name: str, host: Host) -> None:
        options = {
            "name": name,
            "keys": str(self.folder / "keys" / "hosts" / name),
            "port": self.port,
            "federation": "street",
            **asdict(host),
        }
        (self.folder / name).mkdir()
        (self.folder / name / "host.json").write_text(json.dumps(options))

    def start(self, name: str) -> None:
        python = [sys.executable, "-m"]
        if name == "broker":
            command = [MOSQUITTO, "-v", "-c", self.folder / "mosquitto.conf"]
        elif name == "aggregator":
            command = [*python, "aggregator.cli", "run", "-c", self.folder / "aggregator.yaml"]
        else:
            command = [*python, "tests.system.federation_host", self.folder / name / "host.json"]
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT, env=self._environment
            )

    def kill(self, name: str) -> None:
        process = self._processes[name]
        assert process.poll() is None, self.logs()
        process.kill()
        process.wait()

    def stop(self) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            process.wait(PATIENCE_S)

    def ask(self, command: str) -> dict:
        arguments = ["-c", self.folder / "aggregator.yaml", "--format", "json"]
        done = subprocess.run(
            [sys.executable, "-m", "aggregator.cli", command, *arguments],
            capture_output=True,
            cwd=ROOT,
            env=self._environment,
            check=True,
        )
        return json.loads(done.stdout)

    def round(self) -> int:
        """The running one."""
        return self.ask("status")["number"]

    def until(self, condition: Callable[[Store], bool]) -> None:
        """Wait for what the aggregator has written down."""
        path = self.folder / "data" / "aggregator.sqlite"
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            assert time.monotonic() < deadline_s, self.logs()
            # the file is there a moment before its tables
            with contextlib.suppress(StorageError), closing(Store(path, read_only=True)) as store:
                if condition(store):
                    return
            time.sleep(0.01)

    def logs(self) -> str:
        """The last lines of each."""
        tails = {
            p.name: p.read_text().splitlines()[-TOLD_LINES:] for p in self.folder.glob("*.log")
        }
        return "\n".join("\n".join([f"== {name}", *lines]) for name, lines in tails.items())


@contextlib.contextmanager
def at_work(made: Federation, *names: str) -> Iterator[Federation]:
    """With the broker, the aggregator and these hosts running."""
    try:
        for name in ("broker", "aggregator", *names):
            made.start(name)
        yield made
    finally:
        made.stop()


def has_begun(number: int) -> Callable[[Store], bool]:
    return lambda store: (running := store.running()) is not None and running.number >= number
