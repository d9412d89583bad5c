"""The real path: an RTSP camera in, alerts at a real MQTT subscriber out; each part is killed.

The camera model is fitted to the clip, but its threshold is set to 0 by the test: whoever is in
sight is unusual, and an event lasts as long as its people do. What a walking person scores is
none of this test's business.
"""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.analysis import SPECS
from edge.domain.alert import Transition
from edge.mqtt import MqttBroker, MqttSettings, Tls
from edge.scoring.store import load_camera_model, save_camera_model
from edge.wire.events import decode_event
from edge.wire.topics import Topics
from tests.system.broker import MOSQUITTO, Authority, Mosquitto, free_port
from tests.system.test_ingest_rtsp import SERVER, SYSTEM_PYTHON, gstreamer  # noqa: F401  # a fixture

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(400),
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
]
PATIENCE_S = 60.0
CLIP_S = 30  # of the footage; served in a loop
TOPICS = Topics("vad", "host")
ACL = "user host\ntopic readwrite vad/host/#\ntopic write homeassistant/#\n"
ACL += "user reader\ntopic read vad/#\n"
CONFIG = """
host: host
mqtt:
  port: {mqtt_port}
  tls: {{ca: {ca}, cert: {cert}, key: {key}}}
detector: {{kind: onnx, model: {models}/yolox_nano.onnx, labels: {models}/coco80.txt}}
alerts: {{cooldown_s: 1}}
cameras:
  square:
    source: rtsp://viewer:{{VAD_EDGE_PASSWORD}}@127.0.0.1:{rtsp_port}/stream
    masks: [[[0, 0], [1, 0], [1, 0.5], [0, 0.5]]]  # people stand about there; below they pass by
"""


class Subscriber:
    """Hears the events and states, keeps them in the order of arrival."""

    def __init__(self, settings: MqttSettings) -> None:
        self.heard: list[Transition] = []
        self.states: dict[str, list[str]] = defaultdict(list)
        self._broker = MqttBroker(settings)
        self._broker.subscribe(TOPICS.events, self._on_event)
        for topic in (TOPICS.available, TOPICS.status("square")):
            self._broker.subscribe(topic, self._on_state)
        self._broker.start()

    def _on_event(self, _topic: str, payload: bytes) -> None:
        transition = decode_event(payload)
        self.heard.append(transition)
        print(transition.kind, transition.after.id, transition.after.reason)

    def _on_state(self, topic: str, payload: bytes) -> None:
        self.states[topic].append(payload.decode())

    def ids(self, kind: str) -> set[str]:
        return {told.after.id for told in list(self.heard) if told.kind.value == kind}

    def open(self) -> set[str]:
        return self.ids("new") - self.ids("end")

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
        """Learn the clip by the command, then call everybody unusual."""
        command = [*self.command("fit"), "--camera", "square", "--footage", str(self.clip)]
        subprocess.run(command, check=True, env=self.environment, stdout=subprocess.DEVNULL)
        path = self.folder / "data" / "cameras" / "square.safetensors"
        model = load_camera_model(path, SPECS)
        save_camera_model(path, replace(model, budget=replace(model.budget, threshold=0.0)))

    def kill_rtsp(self) -> None:
        self.rtsp.kill()
        self.rtsp.wait()
        self.rtsp.stdout.close()

    def kill_edge(self) -> float:
        """The moment of the kill, seconds since the epoch."""
        self.edge.kill()
        self.edge.wait()
        return time.time()

    def waiting(self) -> int:
        """Messages in the outbox, looked at from outside."""
        path = self.folder / "data" / "outbox.sqlite"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as outbox:
            return outbox.execute("SELECT COUNT(*) FROM messages").fetchone()[0]

    def photographed(self) -> dict[str, float]:
        """Every event that vad-edge itself noted a picture of: id, and when it did so last."""
        pictures = (self.folder / "data" / "snapshots").glob("*.jpg")
        return {picture.stem: picture.stat().st_mtime for picture in pictures}

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
        if self.rtsp is not None:
            self.rtsp.stdout.close()
        self.broker.kill()


def encode(source: Path, target: Path) -> None:
    """H.264, one slice a picture: the test server's payloader wants it."""
    options = ["-c:v", "libx264", "-x264-params", "slices=1:bframes=0:keyint=20"]
    command = ["ffmpeg", "-v", "error", "-i", source, "-t", str(CLIP_S), "-vf", "scale=640:-2"]
    subprocess.run([*command, *options, target], check=True)


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


def test_each_part_may_be_killed_in_the_middle_of_an_event(parts: Parts) -> None:
    subscriber = parts.subscriber
    status, available = (
        subscriber.states[TOPICS.status("square")],
        subscriber.states[TOPICS.available],
    )
    parts.fit()
    parts.start_rtsp()
    parts.start_edge()

    until(subscriber.open, parts)
    parts.kill_rtsp()
    until(lambda: status[-1] == "offline", parts)
    until(lambda: not subscriber.open(), parts)  # a silent camera's events end
    parts.start_rtsp()
    until(lambda: status[-1] == "online", parts)

    until(subscriber.open, parts)
    parts.broker.kill()
    already = parts.waiting()
    until(lambda: parts.waiting() > already + 1, parts)  # events go on while nobody takes them
    heard = len(subscriber.heard)
    parts.broker.start()
    until(lambda: len(subscriber.heard) > heard, parts)

    until(subscriber.open, parts)
    killed_s = parts.kill_edge()
    until(lambda: available[-1] == "offline", parts)  # the last will
    interrupted, known = subscriber.open(), subscriber.ids("new")
    parts.start_edge()
    until(lambda: interrupted <= subscriber.ids("end"), parts)
    until(lambda: subscriber.ids("new") > known, parts)

    parts.kill_rtsp()  # so that all that is open ends before the process does
    until(lambda: status[-1] == "offline", parts)
    until(lambda: not subscriber.open(), parts)
    parts.edge.send_signal(signal.SIGTERM)
    assert parts.edge.wait(PATIENCE_S) == 0, parts.log()[-4000:]
    until(lambda: available[-1] == "stopped", parts)

    assert parts.waiting() == 0
    assert_each_event_is_told_once(subscriber.heard)
    unheard = parts.photographed().keys() - subscriber.ids("new")
    # a picture is taken just before its event is put on record: kill -9 may fall in between
    assert all(abs(parts.photographed()[event] - killed_s) < 1 for event in unheard), unheard
    assert "secret" not in parts.log()


def assert_each_event_is_told_once(heard: list[Transition]) -> None:
    """QoS 1 may repeat a message as it was; beside that each event is new, updated, ended."""
    stories: dict[str, dict[tuple[str, float], Transition]] = defaultdict(dict)
    for told in heard:
        stories[told.after.id].setdefault((told.kind.value, told.after.updated_time_s), told)
    for event, story in stories.items():
        kinds = [told.kind.value for told in story.values()]
        assert kinds == ["new", *["update"] * (len(kinds) - 2), "end"], (event, kinds)
        assert len({told.after.start_time_s for told in story.values()}) == 1, event
    # one incident under two ids would be two events that one track began at one time
    news = [next(iter(story.values())).after for story in stories.values()]
    assert len({(event.start_time_s, event.track_ids[:1]) for event in news}) == len(news)
