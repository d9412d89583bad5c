"""A host that learns by itself, as its operator sees it: ``vad-edge run`` fills the feature store,
``vad-edge learn`` trains on it beside, and the running process judges by the new student without
losing a frame."""

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

from edge.mqtt import MqttBroker, MqttSettings
from edge.wire.stats import HostStats, decode_stats
from edge.wire.topics import Topics
from tests.system.broker import MOSQUITTO, Mosquitto

pytest.importorskip("torch", reason="vad-edge learn needs torch")
pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(600),
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
]
ROOT = Path(__file__).parents[2]
PATIENCE_S = 180.0
TOPICS = Topics("vad", "host")
CAMERA = "door"
FEWEST_CLIPS = 2
CONFIG = """
host: host
mqtt: {{port: {port}}}
alerts: {{alarms_per_camera_day: 1.0e-9}}  # seconds teach little: no clip may count as an alarm
learning:
  period_s: 10
  student: {{steps: 100, hidden: 32, tried_on_s: 5}}
cameras:
  door: {{source: "synthetic:precinct?seed=3&fps=20&size=320x180", analysis_hz: 20}}
"""


class Host:
    """One live process, what it says, and commands beside it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.stats: list[HostStats] = []
        self.scores_s: list[float] = []
        self.log = folder / "run.log"
        self._config = folder / "edge.yaml"
        self._config.write_text(CONFIG.format(port=port))
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self._ear = MqttBroker(MqttSettings("127.0.0.1", port, "ear"))
        self._ear.subscribe(TOPICS.stats, self._on_stats)
        self._ear.subscribe(TOPICS.score(CAMERA), self._on_score)
        self._ear.start()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command("run"), cwd=ROOT, stdout=log, stderr=log, env=self._environment
            )

    def _on_stats(self, _topic: str, payload: bytes) -> None:
        self.stats.append(decode_stats(payload))

    def _on_score(self, _topic: str, _payload: bytes) -> None:
        self.scores_s.append(time.monotonic())

    def _command(self, name: str) -> list[str]:
        return [sys.executable, "-m", "edge.cli", *name.split(), "-c", str(self._config)]

    def ask(self, name: str, *arguments: str) -> tuple[int, str, str]:
        """Exit code and what a command printed."""
        done = subprocess.run(
            [*self._command(name), *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=self._environment,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def until(self, condition: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline_s, self.log.read_text()[-4000:]
            time.sleep(0.05)

    def loaded(self) -> str:
        """Every file that the live process has mapped."""
        return Path(f"/proc/{self.process.pid}/maps").read_text()

    def stop(self) -> int:
        self._ear.stop()
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Mosquitto(tmp_path) as broker:
        running = Host(tmp_path, broker.port)
        yield running
        running.stop()


def test_what_was_learnt_beside_judges_without_a_lost_frame(host: Host) -> None:
    host.until(lambda: host.stats and host.stats[-1].cameras[0].stored_clips >= FEWEST_CLIPS)
    before = host.stats[-1]
    code, answer, told = host.ask("learn", "--format", "json")
    assert code == 0, told
    report = json.loads(answer)
    assert report["adopted"]

    student = report["generation"].rpartition("-")[2]
    host.until(lambda: host.stats[-1].model_version.endswith(student))
    heard = len(host.scores_s)
    host.until(lambda: len(host.scores_s) > heard + 2)
    seen = len(host.stats)
    host.until(lambda: len(host.stats) > seen)
    after = host.stats[-1]
    dropped = {
        cause: n - before.cameras[0].dropped[cause] for cause, n in after.cameras[0].dropped.items()
    }
    # a machine that is busy with other things may leave a frame unread; a swap never does
    assert dropped | {"unread": 0} == dict.fromkeys(dropped, 0)
    assert max(b - a for a, b in pairwise(host.scores_s)) < 5.0
    assert after.uptime_s > before.uptime_s
    assert "libtorch" not in host.loaded()
    assert json.loads(host.ask("models list", "--format", "json")[1])["current"]["version"]
    print("frames lost while it learnt and swapped:", dropped)
