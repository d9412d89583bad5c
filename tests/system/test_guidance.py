"""Guidance in words, live: set over MQTT and by the command, effect, removal, restart.

A street of boxes stands for the footage: blue ones drift by, which is what the camera learns; red
and green ones dash through, on sides of their own, and alarm. A word model of colours stands for
CLIP: "something red: normal" must silence the red ones and nobody else.

The same is told of cyclists and runners in the synthetic street, each before a camera of their own,
where there are ten minutes for it: ``VAD_WORDS=make`` trains a word model first, and
``VAD_WORDS=FOLDER`` names one that knows the street (``vad-export words-tiny``).
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from edge.domain.alert import Event
from edge.evaluation.synthetic import write_video
from edge.ingest.synthetic import Anomaly, Street, StreetOptions
from edge.mqtt import MqttBroker, MqttSettings
from edge.wire.broker import Message
from edge.wire.events import decode_event
from edge.wire.guidance import GuidanceState, Status, decode_state
from edge.wire.topics import Topics
from edge.wire.weights import encode_weights
from export.words.tiny.film import TRAINING_SEED, streets
from export.words.tiny.make import Plans, learn, write
from export.words.tiny.reels import reels
from tests.fakes.colours import COLOURS, colour_words
from tests.system.broker import MOSQUITTO, Mosquitto

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(900),
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
]
ROOT = Path(__file__).parents[2]
TOPICS = Topics("vad", "host")
PATIENCE_S = 300.0
HZ = 10  # of the street of boxes
STREET_HZ = 5  # of the one of people
SIZE = (320, 180)  # pixels
BOX = (18, 36)
SETTLE_S = 2.0  # whoever is in sight was judged by other words
STREETS = 12  # that a word model learns from
WORDS = os.environ.get("VAD_WORDS", "")
LOOP_S = 12.0  # of the footage that is watched: one red box and one green one


def film(path: Path, *, seconds: float, passing: Callable[[float], list[tuple[str, float, float]]]):
    """``passing``: colour, x and y of each box's middle at a time, in fractions of the picture."""
    backdrop = np.random.default_rng(1).integers(90, 140, (SIZE[1], SIZE[0], 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=HZ)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for number in range(round(seconds * HZ)):
            picture = backdrop.copy()
            for colour, x, y in passing(number / HZ):
                left, top = round(x * SIZE[0]) - BOX[0] // 2, round(y * SIZE[1]) - BOX[1] // 2
                right = max(left + BOX[0], 0)
                picture[max(top, 0) : top + BOX[1], max(left, 0) : right] = COLOURS[colour]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def drifting(time_s: float) -> list[tuple[str, float, float]]:
    """Blue boxes, one behind the other, now in the upper half, now in the lower one."""
    return [
        (
            "blue",
            (time_s + 4 * k) % 16 / 16 * 1.2 - 0.1,
            0.3 if (time_s + 4 * k) % 32 < 16 else 0.75,
        )
        for k in range(2)
    ]


def dashing(time_s: float) -> list[tuple[str, float, float]]:
    """A red box in the upper half, later a green one in the lower half."""
    found = []
    for colour, begin_s, y in (("red", 2.0, 0.3), ("green", 7.0, 0.75)):
        share = (time_s - begin_s) / 2.5
        if 0 <= share <= 1:
            found.append((colour, share * 1.2 - 0.1, y))
    return found


@dataclass(frozen=True)
class Case:
    """What is said, how to tell by an event who it was, and how long to look for both."""

    text: str
    silenced: Callable[[Event], bool]
    others: Callable[[Event], bool]
    watched_s: float


class Scene:
    """mosquitto, ``vad-edge run``, and an operator who listens."""

    def __init__(
        self, folder: Path, words: Path, cameras: Mapping[str, str], *, hz: int = HZ
    ) -> None:
        self.folder = folder
        self.server = Mosquitto(folder)
        self.server.start()
        self.config = folder / "edge.yaml"
        sources = "".join(
            f"  {name}: {{source: {source!r}, loop: true, analysis_hz: {hz}}}\n"
            for name, source in cameras.items()
        )
        self.config.write_text(
            f"host: host\nmqtt: {{port: {self.server.port}, home_assistant: false}}\n"
            f"words: {{model: {words}}}\n"
            "alerts: {cooldown_s: 1, alarms_per_camera_day: 20}\nsnapshots: {enabled: false}\n"
            f"learning: {{store: {{enabled: false}}}}\ncameras:\n{sources}"
        )
        self.cameras = list(cameras)
        self.events: list[Event] = []
        self.states: dict[str, list[GuidanceState]] = {name: [] for name in cameras}
        self.broker = self.connect("operator")
        self.broker.subscribe(TOPICS.events, self._on_event)
        for name in cameras:
            topic = TOPICS.guidance_state(name)
            self.broker.subscribe(topic, partial(self._on_state, name))
        self.edge: subprocess.Popen[bytes] | None = None

    def connect(self, name: str) -> MqttBroker:
        broker = MqttBroker(MqttSettings("127.0.0.1", self.server.port, name))
        broker.start()
        return broker

    def fit(self, footage: str) -> None:
        """Learn with the first camera what is normal for all of them."""
        first, *others = self.cameras
        self.command("fit", "--camera", first, "--footage", footage)
        models = self.folder / "data" / "cameras"
        for name in others:
            shutil.copy(models / f"{first}.safetensors", models / f"{name}.safetensors")

    def _on_event(self, _topic: str, payload: bytes) -> None:
        told = decode_event(payload)
        if told.kind.value == "new":
            self.events.append(told.after)
            print(f"{told.after.camera} {told.after.box_xyxy} {told.after.reason}")

    def _on_state(self, camera: str, _topic: str, payload: bytes) -> None:
        self.states[camera].append(decode_state(payload))

    def command(self, name: str, *arguments: str) -> str:
        command = [sys.executable, "-m", "edge.cli", name, *arguments, "-c", str(self.config)]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def start(self) -> None:
        with (self.folder / "edge.log").open("ab") as log:
            command = [sys.executable, "-m", "edge.cli", "run", "-c", str(self.config)]
            self.edge = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        if self.edge is not None:
            self.edge.kill()
            self.edge.wait()

    def stop(self) -> None:
        self.broker.stop()
        self.kill()
        self.server.kill()

    def until(self, condition: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline_s, (self.folder / "edge.log").read_text()[-4000:]
            time.sleep(0.01)

    def say(self, **command: object) -> float:
        """Set guidance of all cameras; seconds until the host says that it goes by it."""
        counts = {name: len(states) for name, states in self.states.items()}
        payload, began_s = json.dumps(command).encode(), time.monotonic()
        for name in self.cameras:
            self.broker.publish(Message(TOPICS.guidance_set(name), payload), lambda _: None)
        self.until(lambda: all(len(self.states[name]) > count for name, count in counts.items()))
        return time.monotonic() - began_s

    def standing(self) -> list[tuple[str, Status]]:
        """What the first camera goes by: id and status of each."""
        states = self.states[self.cameras[0]]
        return [(each.id, each.status) for each in states[-1].guidance] if states else []

    def watch(self, case: Case) -> tuple[int, int]:
        """How often those alarm from now on who are spoken of, and how often the others do.

        Not all who run or cycle alarm: it takes as long as it takes until one of the others has.
        """
        time.sleep(SETTLE_S)
        begin = len(self.events)
        time.sleep(case.watched_s)
        self.until(lambda: any(map(case.others, self.events[begin:])))
        seen = self.events[begin:]
        return sum(map(case.silenced, seen)), sum(map(case.others, seen))


def start_aggregator(folder: Path, scene: Scene, words: Path) -> subprocess.Popen[bytes]:
    """``vad-aggregator run`` beside the host, with nobody in its federation."""
    about = {"student": json.dumps({"head": "clap"}), "spec_versions": "[]"}
    model = encode_weights({"w": np.zeros(3, np.float32)}, metadata=about)
    (folder / "initial.safetensors").write_bytes(model)
    config = folder / "aggregator.yaml"
    config.write_text(
        f"federation: street\ndata_dir: aggregator\nmodel: initial.safetensors\nwords: {words}\n"
        f"mqtt: {{port: {scene.server.port}}}\n"
    )
    command = [sys.executable, "-m", "aggregator.cli"]
    where = {"cwd": ROOT, "env": scene.environment}
    subprocess.run([*command, "provision", "-c", config], check=True, capture_output=True, **where)
    with (folder / "edge.log").open("ab") as log:
        return subprocess.Popen([*command, "run", "-c", config], stdout=log, stderr=log, **where)


@contextlib.contextmanager
def running(scene: Scene, *, fitted_to: str | None = None) -> Iterator[None]:
    try:
        if fitted_to is not None:
            scene.fit(fitted_to)
        scene.start()
        yield
    finally:
        scene.stop()


def check_story(live: Scene, case: Case) -> None:
    """They alarm, are called normal, are silent while others alarm, and alarm again."""
    live.until(lambda: any(map(case.silenced, live.events)) and any(map(case.others, live.events)))

    seconds = live.say(add={"text": case.text, "polarity": "normal"})
    print(f"from guidance/set to its being in force: {1e3 * seconds:.0f} ms")
    ((said, status),) = live.standing()
    assert status is Status.ACTIVE
    silenced, others = live.watch(case)
    assert (silenced, others > 0) == (0, True)

    live.kill()
    for states in live.states.values():
        states.clear()
    live.start()
    live.until(lambda: live.standing() == [(said, Status.ACTIVE)])
    silenced, others = live.watch(case)
    assert (silenced, others > 0) == (0, True)

    live.say(remove=said)
    assert live.standing() == []
    before = len(live.events)
    live.until(lambda: any(map(case.silenced, live.events[before:])))

    live.say(add={"text": "x" * 10_000, "polarity": "normal"})
    refused = live.states[live.cameras[0]][-1].refused
    assert refused is not None
    assert "at most 500" in refused.reason
    for name in live.cameras:
        assert said in live.command("guide", "add", case.text, "--normal", "--camera", name)
    live.until(lambda: live.standing() == [(said, Status.ACTIVE)])
    silenced, _ = live.watch(case)
    assert silenced == 0


def test_boxes_of_a_colour_that_is_called_normal_alarm_no_more(tmp_path: Path) -> None:
    words = tmp_path / "words"
    colour_words(words)
    film(tmp_path / "normal.mkv", seconds=160, passing=drifting)
    film(tmp_path / "watched.mkv", seconds=LOOP_S, passing=dashing)
    case = Case(
        text="something red that dashes through",
        silenced=lambda event: event.box_xyxy[3] < SIZE[1] / 2,
        others=lambda event: event.box_xyxy[3] > SIZE[1] / 2,
        watched_s=2 * LOOP_S,
    )
    live = Scene(tmp_path, words, {"street": str(tmp_path / "watched.mkv")})
    with running(live, fitted_to=str(tmp_path / "normal.mkv")):
        check_story(live, case)


def film_people(path: Path, act: Anomaly) -> Path:
    """One who does it every six seconds; a host that is short of time sees fewer frames of it.

    Drawn while it is watched, people would go in slow motion there.
    """
    street = StreetOptions(
        scene_seed=1,
        seed=71001,
        fps=STREET_HZ,
        duration_s=150.0,
        anomalies=(act,),
        anomalies_per_minute=10.0,
    )
    write_video(path, Street(street), rate_hz=STREET_HZ)
    return path


@pytest.fixture(scope="module")
def street_words(tmp_path_factory) -> Path:
    """A word model that knows who walks, runs and cycles."""
    if WORDS != "make":
        return Path(WORDS).resolve()
    folder = tmp_path_factory.mktemp("street")
    chosen = streets(TRAINING_SEED, STREETS)
    precincts = {name: street for name, street in chosen.items() if street.kind == "precinct"}
    tubes = reels(folder / "reels", precincts, told=lambda: None)
    plans = Plans.of(steps=800, fusion_steps=150, batch=96, seed=0)
    learnt = learn(tubes, plans, folder, told=(lambda *_: None, lambda *_: None))
    write(folder / "words", learnt, tubes, provenance={})
    return folder / "words"


@pytest.mark.skipif(not WORDS, reason="takes ten minutes; VAD_WORDS=make, or =FOLDER of words-tiny")
@pytest.mark.timeout(1800)  # most of it to learn: words, then the street
def test_cyclists_who_are_called_normal_alarm_no_more(tmp_path: Path, street_words: Path) -> None:
    acts: dict[str, Anomaly] = {"cyclists": "cycling", "runners": "running"}
    cameras = {name: str(film_people(tmp_path / f"{name}.mkv", act)) for name, act in acts.items()}
    case = Case(
        text="a person riding a bicycle",
        silenced=lambda event: event.camera == "cyclists",
        others=lambda event: event.camera == "runners",
        watched_s=30.0,
    )
    live = Scene(tmp_path, street_words, cameras, hz=STREET_HZ)
    normal = f"synthetic:precinct?scene=1&seed=70001&fps={STREET_HZ}&duration=400"
    with running(live, fitted_to=normal):
        check_story(live, case)


def test_a_host_without_a_text_tower_goes_by_what_the_aggregator_reads(tmp_path: Path) -> None:
    colour_words(tmp_path / "words", tower=False)
    colour_words(tmp_path / "towered")
    live = Scene(tmp_path, tmp_path / "words", {"street": "synthetic:precinct?size=160x96"})
    with running(live):
        live.until(lambda: live.states["street"])
        live.say(add={"text": "something red", "polarity": "normal"})
        ((said, status),) = live.standing()
        assert status is Status.WAITING

        aggregator = start_aggregator(tmp_path, live, tmp_path / "towered")
        try:
            live.until(lambda: live.standing() == [(said, Status.ACTIVE)])
        finally:
            aggregator.kill()
            aggregator.wait()

        live.kill()
        live.states["street"].clear()
        live.start()
        live.until(lambda: live.standing() == [(said, Status.ACTIVE)])  # it was kept
