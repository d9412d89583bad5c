"""The real path: an RTSP camera in, alerts at a real MQTT subscriber out; each part is killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.mqtt import MqttBroker, MqttSettings, Tls
from edge.wire.events import decode_event
from edge.wire.topics import Topics
from tests.system.broker import MOSQUITTO, Authority, Mosquitto, free_port
from tests.system.test_ingest_rtsp import SERVER, SYSTEM_PYTHON, gstreamer  # noqa: F401  # a fixture

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(400),
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
]
PATIENCE_S = 90.0
TOPICS = Topics("vad", "host")
ACL = "user host\ntopic readwrite vad/host/#\ntopic write homeassistant/#\n"
ACL += "user reader\ntopic read vad/#\n"
CONFIG = """
host: host
mqtt:
  port: {mqtt_port}
  tls: {{ca: {ca}, cert: {cert}, key: {key}}}
detector: {{kind: onnx, model: {models}/yolox_nano.onnx, labels: {models}/coco80.txt}}
# so large a budget that people who merely walk raise alarms: there is nothing worse in this clip
alerts: {{alarms_per_camera_day: 20000, cooldown_s: 1}}
cameras:
  square:
    source: rtsp://viewer:{{VAD_EDGE_PASSWORD}}@127.0.0.1:{rtsp_port}/stream
"""


class Subscriber:
    """Hears the events, keeps every (id, type) in the order of arrival."""

    def __init__(self, settings: MqttSettings) -> None:
        self.heard: list[tuple[str, str]] = []
        self.states: dict[str, list[str]] = defaultdict(list)
        self._broker = MqttBroker(settings)
        self._broker.subscribe(TOPICS.events, self._on_event)
        for topic in (TOPICS.available, TOPICS.status("square")):
            self._broker.subscribe(topic, self._on_state)
        self._broker.start()

    def _on_event(self, _topic: str, payload: bytes) -> None:
        transition = decode_event(payload)
        self.heard.append((transition.after.id, transition.kind.value))
        print(transition.kind, transition.after.id, transition.after.reason)

    def _on_state(self, topic: str, payload: bytes) -> None:
        self.states[topic].append(payload.decode())

    def open(self) -> list[str]:
        ended = {event for event, kind in self.heard if kind == "end"}
        return [event for event, kind in self.heard if kind == "new" and event not in ended]

    def count(self, kind: str) -> int:
        return len({event for event, what in self.heard if what == kind})

    def stop(self) -> None:
        self._broker.stop()


class Parts:
    """The three processes that are killed, and the subscriber that must not notice."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder = folder
        self.clip = folder / "clip.mkv"
        self.rtsp_port = free_port()
        authority = Authority(folder)
        server, host, reader = (authority.issue(name) for name in ("server", "host", "reader"))
        self.broker = Mosquitto(
            folder,
            tls=server,
            ca_file=authority.ca_file,
            require_certificate=True,
            acl=ACL,
            extra="max_inflight_messages 0",
        )
        self.broker.start()
        self.config = folder / "edge.yaml"
        self.config.write_text(
            CONFIG.format(
                mqtt_port=self.broker.port,
                rtsp_port=self.rtsp_port,
                ca=authority.ca_file,
                cert=host.cert_file,
                key=host.key_file,
                models=data / "models",
            )
        )
        encode(data / "data" / "vtest" / "vtest.avi", self.clip)
        tls = Tls(authority.ca_file, reader.cert_file, reader.key_file)
        self.subscriber = Subscriber(MqttSettings("127.0.0.1", self.broker.port, "reader", tls=tls))
        self.rtsp: subprocess.Popen | None = None
        self.edge: subprocess.Popen | None = None

    def start_rtsp(self) -> None:
        login = ["--user", "viewer", "--password", "secret"]
        command = [SYSTEM_PYTHON, SERVER, "--file", self.clip, "--port", str(self.rtsp_port)]
        self.rtsp = subprocess.Popen([*command, *login], stdout=subprocess.PIPE, text=True)
        assert self.rtsp.stdout.readline() == "ready\n"

    def start_edge(self) -> None:
        with (self.folder / "edge.log").open("ab") as log:
            self.edge = subprocess.Popen(
                self.command("run"), stdout=log, stderr=log, env=self.environment
            )

    def fit(self) -> None:
        command = [*self.command("fit"), "--camera", "square", "--footage", str(self.clip)]
        subprocess.run(command, check=True, env=self.environment, stdout=subprocess.DEVNULL)

    def command(self, name: str) -> list[str]:
        return [sys.executable, "-m", "edge.cli", name, "-c", str(self.config)]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "VAD_EDGE_PASSWORD": "secret"}

    def log(self) -> str:
        return (self.folder / "edge.log").read_text()

    def stop(self) -> None:
        self.subscriber.stop()
        for process in (self.edge, self.rtsp):
            if process is not None:
                process.kill()
                process.wait()
        self.rtsp.stdout.close()
        self.broker.kill()


def encode(source: Path, target: Path) -> None:
    """H.264, one slice a picture: the test server's payloader wants it."""
    options = ["-c:v", "libx264", "-x264-params", "slices=1:bframes=0:keyint=20"]
    command = ["ffmpeg", "-v", "error", "-i", source, "-vf", "scale=640:-2", *options, target]
    subprocess.run(command, check=True)


def until(condition: Callable[[], object], parts: Parts) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, parts.log()[-4000:]
        time.sleep(0.02)


@pytest.fixture
def parts(tmp_path: Path, vad_data: Path) -> Iterator[Parts]:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed: it encodes the clip that is served")
    parts = Parts(tmp_path, vad_data)
    yield parts
    parts.stop()


@pytest.mark.usefixtures("gstreamer")
def test_each_part_may_be_killed_in_the_middle_of_an_event(parts: Parts) -> None:
    subscriber = parts.subscriber
    parts.fit()
    parts.start_rtsp()
    parts.start_edge()
    status = subscriber.states[TOPICS.status("square")]

    until(subscriber.open, parts)
    parts.rtsp.kill()
    parts.rtsp.wait()
    parts.rtsp.stdout.close()
    until(lambda: "offline" in status, parts)
    until(lambda: not subscriber.open(), parts)  # a silent camera's events end
    parts.start_rtsp()
    until(lambda: status[-1] == "online", parts)

    until(subscriber.open, parts)
    parts.broker.kill()
    time.sleep(3)  # events go on while nobody takes them
    parts.broker.start()
    known = subscriber.count("new")
    until(lambda: subscriber.count("new") > known, parts)

    until(subscriber.open, parts)
    interrupted = subscriber.open()
    parts.edge.kill()
    parts.edge.wait()
    until(lambda: subscriber.states[TOPICS.available][-1] == "offline", parts)
    parts.start_edge()
    until(lambda: not set(interrupted) & set(subscriber.open()), parts)
    known = subscriber.count("new")
    until(lambda: subscriber.count("new") > known, parts)

    parts.edge.send_signal(signal.SIGTERM)
    assert parts.edge.wait(PATIENCE_S) == 0
    until(lambda: subscriber.states[TOPICS.available][-1] == "stopped", parts)
    assert_every_event_is_told_once_and_in_order(subscriber)
    assert "secret" not in parts.log()


def assert_every_event_is_told_once_and_in_order(subscriber: Subscriber) -> None:
    told: dict[str, list[str]] = defaultdict(list)
    for event, kind in subscriber.heard:
        if not told[event] or told[event][-1] != kind or kind == "update":
            told[event].append(kind)
    for event, kinds in told.items():
        assert kinds[0] == "new", (event, kinds)
        assert kinds.count("new") == 1, (event, kinds)
        assert kinds.count("end") <= 1, (event, kinds)
        assert "end" not in kinds[:-1], (event, kinds)
    # what the last process left open is adopted at its next start
    assert len(subscriber.open()) <= 4
