"""Real hosts that learn together: mosquitto with TLS and an access list, one aggregator, and three
``vad-edge run`` on different footage in real time, each with its learning process. Everything but
the clocks is what an operator would start; each part is killed in turn while scores flow on.

The hosts have watched before: their stores and camera models are made of the same streets, unpaced.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from aggregator.store import Store
from edge.compose import (
    learning_path,
    make_generations,
    make_store,
    model_path,
)
from edge.config import EdgeConfig, load_config
from edge.mqtt import MqttBroker, MqttSettings, Tls
from edge.scoring.store import save_camera_model
from edge.wire.stats import decode_stats
from edge.wire.topics import Topics
from tests.fakes.past import watched
from tests.system.broker import MOSQUITTO, free_port

pytest.importorskip("torch", reason="the learning process needs torch")
pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(900),
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
]
ROOT = Path(__file__).parents[2]
CAMERA = "view"
FPS = 5
WATCHED_S = 240.0  # before the test begins
STREETS = {
    "attic": f"synthetic:precinct?seed=3&fps={FPS}&size=320x180",
    "door": f"synthetic:road?seed=5&fps={FPS}&size=320x180",
    "yard": f"synthetic:precinct?seed=9&scene=4&fps={FPS}&size=320x180",
}
PATIENCE_S = 240.0  # learners are nice to everybody else on the machine
FLOW_S = 30.0  # within which every host must be heard again
AGGREGATOR = {
    "federation": "street",
    "data_dir": "aggregator",
    "keys_dir": "keys",
    "model": "initial.safetensors",
    "rounds": {"quorum": 2, "close_at": 3, "timeout_s": 20.0},
    "plan": {"optimiser": "adam", "learning_rate": 0.001, "batch_rows": 256},
}
SECTIONS = {
    "alerts": {"alarms_per_camera_day": 0.001},  # so few that no clip is held for an alarm
    "learning": {"student": {"enabled": True, "tried_on_s": 5}},
}


class Listener:
    """Hears one host's scores and statistics under that host's own certificate."""

    def __init__(self, host: str, port: int, keys: Path) -> None:
        self.scores: list[float] = []  # when, by the steady clock
        self.uptimes_s: list[float] = []
        self.models: list[str] = []
        self.learning: list[str] = []
        topics = Topics("vad", host)
        tls = Tls(keys / "ca.crt", keys / "host.crt", keys / "host.key")
        self._broker = MqttBroker(MqttSettings("127.0.0.1", port, f"ear-{host}", tls=tls))
        self._broker.subscribe(topics.score(CAMERA), self._on_score)
        self._broker.subscribe(topics.stats, self._on_stats)
        self._broker.start()

    def _on_score(self, _topic: str, _payload: bytes) -> None:
        self.scores.append(time.monotonic())

    def _on_stats(self, _topic: str, payload: bytes) -> None:
        stats = decode_stats(payload)
        self.uptimes_s.append(stats.uptime_s)
        self.models.append(stats.model_version)
        self.learning.append(stats.learning)

    def stop(self) -> None:
        self._broker.stop()


class World:
    """All processes, each of which can be killed and started again."""

    def __init__(self, folder: Path, streets: dict[str, str]) -> None:
        self.folder = folder
        self.port = free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        tls = {"ca": "keys/ca.crt", "cert": "keys/aggregator.crt", "key": "keys/aggregator.key"}
        settings = {**AGGREGATOR, "mqtt": {"port": self.port, "tls": tls}}
        self.aggregator = self._write("aggregator.yaml", settings)
        model = folder / "initial.safetensors"
        self.command("edge.cli", "learn", "--initial", model, "--hidden", "32")
        self.command("aggregator.cli", "provision", "-c", self.aggregator, *streets)
        broker = folder / "keys" / "broker"
        text = (broker / "mosquitto.conf").read_text()
        text = text.replace("/etc/mosquitto/vad-edge", str(broker))
        (folder / "mosquitto.conf").write_text(f"user root\n{text}")
        self.hosts = {host: self._make_host(host, street) for host, street in streets.items()}
        self.ears: dict[str, Listener] = {}

    def _make_host(self, host: str, street: str) -> Path:
        """A configuration as provisioned, and a past."""
        keys = self.folder / "keys" / "hosts" / host
        text = (keys / "edge.yaml").read_text().replace("/etc/vad-edge/keys", str(keys))
        provisioned = yaml.safe_load(text)
        camera = {"source": street, "analysis_hz": FPS, "loop": True}
        more = {"data_dir": f"{host}-data", "cameras": {CAMERA: camera}}
        path = self._write(f"{host}.yaml", {**provisioned, **SECTIONS, **more})
        watch_before(load_config(path, {}))
        return path

    def _write(self, name: str, values: dict) -> Path:
        path = self.folder / name
        path.write_text(yaml.safe_dump(values))
        return path

    def command(self, module: str, *arguments: object) -> dict:
        """Run one command to its end; its answer."""
        command = [sys.executable, "-m", module, *map(str, arguments), "--format", "json"]
        done = subprocess.run(
            command, capture_output=True, cwd=ROOT, env=self._environment, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def start(self, name: str) -> None:
        if name == "broker":
            command = [MOSQUITTO, "-c", self.folder / "mosquitto.conf"]
        elif name == "aggregator":
            command = [sys.executable, "-m", "aggregator.cli", "run", "-c", self.aggregator]
        else:
            command = [sys.executable, "-m", "edge.cli", "run", "-c", self.hosts[name]]
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT, env=self._environment
            )

    def start_all(self) -> None:
        for name in ("broker", "aggregator", *self.hosts):
            self.start(name)
        for host in self.hosts:
            keys = self.folder / "keys" / "hosts" / host
            self.ears[host] = Listener(host, self.port, keys)

    def kill(self, name: str) -> None:
        process = self._processes[name]
        assert process.poll() is None, self.logs()
        process.kill()
        process.wait()

    def learner_of(self, host: str) -> int | None:
        """The process that learns for a host; None: there is none."""
        config = load_config(self.hosts[host], {})
        with contextlib.suppress(OSError, ValueError):
            pid = int((learning_path(config) / "lock").read_text())
            if b"--until-eof" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    def stop(self) -> None:
        for ear in self.ears.values():
            ear.stop()
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()

    def round(self) -> int:
        path = self.folder / "aggregator" / "aggregator.sqlite"
        if not path.exists():
            return 0
        store = Store(path, read_only=True)
        running = store.running()
        store.close()
        return 0 if running is None else running.number

    def accepted(self) -> dict[str, int]:
        answer = self.command("aggregator.cli", "participants", "-c", self.aggregator)
        return {one["name"]: one["accepted"] for one in answer["participants"]}

    def until(self, condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
        deadline_s = time.monotonic() + patience_s
        while not condition():
            assert time.monotonic() < deadline_s, self.logs()
            time.sleep(0.1)

    def advance(self, rounds: int = 1) -> None:
        """Until so many rounds more have begun."""
        wanted = self.round() + rounds
        self.until(lambda: self.round() >= wanted)

    def scores_flow(self) -> None:
        """Every host is heard, from now on."""
        heard = {host: len(ear.scores) for host, ear in self.ears.items()}
        self.until(
            lambda: all(len(self.ears[host].scores) >= heard[host] + 2 for host in heard), FLOW_S
        )

    def logs(self) -> str:
        return "\n".join(
            f"== {path.name}\n{path.read_text()[-3000:]}" for path in self.folder.glob("*.log")
        )


def watch_before(config: EdgeConfig) -> None:
    """What some minutes of ``vad-edge run`` would have left."""
    store = make_store(config)
    assert store is not None
    store.start()
    for name in config.cameras:
        model = watched(config, name, store, seconds=WATCHED_S)
        save_camera_model(model_path(config, name), model)
    store.close()


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    streets = dict(STREETS)
    shared = Path(os.environ.get("VAD_DATA", ROOT.parent / "shared"))
    clip = shared / "data" / "vtest" / "vtest.avi"
    if clip.exists():
        streets["yard"] = str(clip)  # real people
    made = World(tmp_path, streets)
    try:
        made.start_all()
        yield made
    finally:
        made.stop()


def test_hosts_learn_together_while_each_part_is_killed(world: World) -> None:
    world.until(lambda: all(ear.scores for ear in world.ears.values()))
    world.until(lambda: world.round() >= 3)  # two rounds without any trouble
    assert min(world.accepted().values()) >= 1, world.logs()

    world.kill("broker")
    world.start("broker")
    world.scores_flow()
    world.advance()

    world.kill("aggregator")
    world.scores_flow()
    world.start("aggregator")
    world.advance()

    before = world.accepted()["door"]
    learner = world.learner_of("door")
    assert learner is not None
    os.kill(learner, signal.SIGKILL)
    world.scores_flow()
    world.until(lambda: world.learner_of("door") not in (None, learner))
    world.until(lambda: world.accepted()["door"] > before)

    learner = world.learner_of("attic")
    assert learner is not None
    world.kill("attic")
    world.until(lambda: world.learner_of("attic") is None, 60)  # it goes with its host
    world.start("attic")
    world.scores_flow()
    before = world.accepted()["attic"]
    world.until(lambda: world.accepted()["attic"] > before)

    for host, config in world.hosts.items():
        version = make_generations(load_config(config, {})).current().version
        assert version is not None, world.logs()
        ear = world.ears[host]
        world.until(lambda: "-" in ear.models[-1], 60)  # noqa: B023 - called at once
        totals = world.command("edge.cli", "ledger", "-c", config)["totals"]
        assert totals["fl-blob-1"]["size_bytes"] > 0
    pauses_s = {}
    for host in ("door", "yard"):  # these were never restarted
        ear = world.ears[host]
        assert ear.uptimes_s == sorted(ear.uptimes_s)
        pauses_s[host] = max(b - a for a, b in pairwise(ear.scores))
    print("longest pause between scores, s:", pauses_s, "rounds:", world.round())
