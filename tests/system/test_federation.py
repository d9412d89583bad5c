"""A federation of real processes: mosquitto with TLS and an access list, one aggregator, three
hosts that train a line of numpy. Every process is killed while a round runs."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from aggregator.provision import Site, prepare, provision
from aggregator.store import Store
from edge.errors import StorageError
from edge.federation.ledger import Ledger
from edge.wire.weights import decode_weights, encode_weights
from tests.system.broker import MOSQUITTO, free_port
from tests.system.federation_host import target_of

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
]
ROOT = Path(__file__).parents[2]
HOSTS = ("attic", "door", "yard")
SIZE = 120_000  # weights: a model of 480 kB travels in five chunks
ROUNDS = 8
CLEAN_ROUNDS = 5
PATIENCE_S = 120.0
CONFIG = """
federation: street
data_dir: data
keys_dir: keys
model: initial.safetensors
mqtt:
  port: {port}
  tls: {{ca: keys/ca.crt, cert: keys/aggregator.crt, key: keys/aggregator.key}}
rounds: {{quorum: 3, timeout_s: 60, statistics_timeout_s: 60, count: {rounds}}}
{how}
"""
EXACT = "compression: fp32"
MASKED = "secure: {threshold: 2, max_examples: 100}\nprivacy: {clip_norm: 1000}"


class Federation:
    """All processes, each of which can be killed and started again."""

    def __init__(self, folder: Path, *, rounds: int, how: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        site = Site(folder / "keys", "vad", "street", ["127.0.0.1"], self.port)
        prepare(site)
        for host in HOSTS:
            provision(site, host)
        self._write_files(rounds, how)

    def _write_files(self, rounds: int, how: str) -> None:
        broker = self.folder / "keys" / "broker"
        config = (broker / "mosquitto.conf").read_text()
        config = config.replace("/etc/mosquitto/vad-edge", str(broker))
        (self.folder / "mosquitto.conf").write_text(f"user root\n{config}")
        text = CONFIG.format(port=self.port, rounds=rounds, how=how)
        (self.folder / "aggregator.yaml").write_text(text)
        about = {"student": json.dumps({"head": "clap"}), "spec_versions": "[]"}
        model = encode_weights({"w": np.zeros(SIZE, np.float32)}, metadata=about)
        (self.folder / "initial.safetensors").write_bytes(model)
        for seed, host in enumerate(HOSTS):
            options = {
                "name": host,
                "keys": str(self.folder / "keys" / "hosts" / host),
                "port": self.port,
                "federation": "street",
                "seed": seed,
                "takes_s": 0.1 + 0.3 * seed,  # so that the first update comes while others train
            }
            (self.folder / host).mkdir()
            (self.folder / host / "host.json").write_text(json.dumps(options))

    def start(self, name: str) -> None:
        python = [sys.executable, "-m"]
        if name == "broker":
            command = [MOSQUITTO, "-c", self.folder / "mosquitto.conf"]
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
            process.wait(10)

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
        return "\n".join(f"== {p.name}\n{p.read_text()}" for p in self.folder.glob("*.log"))


@contextlib.contextmanager
def at_work(folder: Path, *, rounds: int, how: str) -> Iterator[Federation]:
    made = Federation(folder, rounds=rounds, how=how)
    try:
        for name in ("broker", "aggregator", *HOSTS):
            made.start(name)
        yield made
    finally:
        made.stop()


def has_begun(number: int) -> Callable[[Store], bool]:
    return lambda store: (running := store.running()) is not None and running.number >= number


def has_an_update_in(number: int) -> Callable[[Store], bool]:
    return lambda store: bool(store.updates_in(number)) or has_begun(number + 1)(store)


def expected_model(rounds: int) -> np.ndarray:
    """FedAvg over hosts that go half of the way to their targets, by hand."""
    examples = np.array([10 * (1 + seed) for seed in range(len(HOSTS))], np.float64)
    targets = np.stack([target_of(seed, SIZE) for seed in range(len(HOSTS))])
    middle = examples @ targets / examples.sum()
    return middle * (1 - 0.5**rounds)


@pytest.mark.timeout(400)
def test_rounds_survive_the_death_of_every_process(tmp_path: Path) -> None:
    with at_work(tmp_path, rounds=ROUNDS, how=EXACT) as federation:
        federation.until(has_begun(CLEAN_ROUNDS + 1))
        for number, victim in enumerate(("broker", "aggregator", "yard"), CLEAN_ROUNDS + 1):
            federation.until(has_an_update_in(number))
            federation.kill(victim)
            federation.start(victim)
        federation.until(has_begun(ROUNDS + 1))

        check_rounds(federation, ROUNDS, total_examples=60)
        np.testing.assert_allclose(final_model(federation), expected_model(ROUNDS), atol=1e-5)
        for host in HOSTS:
            check_host(federation, host)


@pytest.mark.timeout(400)
def test_masked_rounds_sum_up_to_the_same_model(tmp_path: Path) -> None:
    with at_work(tmp_path, rounds=2, how=MASKED) as federation:
        federation.until(has_begun(3))
        check_rounds(federation, 2, total_examples=60)
        np.testing.assert_allclose(final_model(federation), expected_model(2), atol=1e-4)


def check_rounds(federation: Federation, count: int, *, total_examples: int) -> None:
    """Every round has every host's update, once, and nothing was refused."""
    rounds = federation.ask("rounds")["rounds"][1:]  # the newest says that all is over
    assert [one["num_updates"] for one in rounds] == [len(HOSTS)] * count
    assert {one["num_examples"] for one in rounds} == {total_examples}
    members = federation.ask("participants")["participants"]
    assert {m["name"]: (m["accepted"], m["refused"]) for m in members} == {
        host: (count, 0) for host in HOSTS
    }


def memory(federation: Federation) -> Store:
    return Store(federation.folder / "data" / "aggregator.sqlite", read_only=True)


def final_model(federation: Federation) -> np.ndarray:
    with closing(memory(federation)) as store:
        return decode_weights(store.outcome().model)["w"]


def check_host(federation: Federation, host: str) -> None:
    """It has the last model, and has written down what it gave away."""
    shown = federation.folder / host / "model"
    federation.until(lambda store: shown.read_text() == store.running().fingerprint)
    with closing(Ledger(federation.folder / host / "data" / "ledger.sqlite")) as ledger:
        left = ledger.totals()["fl-blob-1"].size_bytes
    assert left >= ROUNDS * SIZE * 3  # fp32 of random numbers hardly compresses
