import json
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from io import StringIO

import pytest

from edge import compose, serve
from edge.adoption import Shadow, Verdict
from edge.analysis import Pupil
from edge.compose import learning_plan, model_path
from edge.config import EdgeConfig, load_config
from edge.errors import (
    ConfigError,
    NotLearntError,
    SourceUnavailableError,
    SourceUnusableError,
    VadError,
)
from edge.generation import Generations
from edge.scoring.store import save_camera_model
from edge.serve import Host
from edge.wire.events import decode_event
from edge.wire.guidance import decode_state
from edge.wire.states import CameraStatus, decode_status
from edge.wire.stats import decode_stats, encode_stats
from tests.fakes import students
from tests.fakes.broker import FakeBroker
from tests.fakes.footage import feed
from tests.fakes.percepts import percept
from tests.fakes.scores import frame_score, region
from tests.fakes.sources import FakePicture, FakeSource, noise_planes

TRIED = Verdict(True, "better", (Shadow("door", 3600.0, 2.0, 0, 0),))
STATUS, SWITCH = "vad/h/door/status", "vad/h/door/detect/set"


def make_config(folder, *cameras):
    return EdgeConfig.model_validate(
        {
            "host": "h",
            "data_dir": folder,
            "mqtt": {"password": "hunter2", "username": "me"},
            "cameras": {
                name: {"source": f"rtsp://u:hunter2@{name}/1"} for name in cameras or ("door",)
            },
        }
    )


class House:
    """A host whose cameras play scripts and whose broker is in memory."""

    def __init__(self, folder, monkeypatch, *cameras, scripts=None):
        self.config = make_config(folder, *cameras)
        self.broker = FakeBroker()
        self.scripts = scripts or {}
        self.opened = []
        monkeypatch.setattr(serve, "make_broker", lambda *_: self.broker)
        monkeypatch.setattr(compose, "make_source", self.source)
        monkeypatch.setattr(serve, "LOOK_EVERY_S", 0.005)
        self.host = Host(self.config)

    def source(self, camera, *, paced=True):
        name = camera.source.split("@")[1].split("/")[0]
        self.opened.append(name)
        return FakeSource(self.scripts.get(name, [[]]))

    def run(self, stop=None):
        self.host.run(stop or threading.Event())

    def payloads(self, topic):
        return self.broker.payloads(topic)


@pytest.fixture
def make(tmp_path, monkeypatch):
    houses = []

    def make_house(*cameras, **options):
        houses.append(House(tmp_path, monkeypatch, *cameras, **options))
        return houses[-1]

    yield make_house
    for house in houses:
        house.host._outbox.close()


def learnt(config, *, threshold):
    """Write a model of people who walk; score 0 is the least there is."""
    pupil = Pupil("door", learning_plan(config, config.cameras["door"]))
    for index in range(102):
        pupil.watch(percept(index))
    model = pupil.graduate()
    model = replace(model, budget=replace(model.budget, threshold=threshold))
    save_camera_model(model_path(config, "door"), model)
    return model


def pictures(count):
    return [FakePicture(number / 5, planes=noise_planes(number)) for number in range(count)]


def test_it_ends_when_all_footage_has_ended(make):
    house = make("door", "yard", scripts={"door": [pictures(5)], "yard": [pictures(5)]})
    house.run()
    assert not house.broker.state.connected
    assert house.host.posts["door"].feed.snapshot().decoded == 5


def test_it_does_not_end_before_a_lesson_does(make):
    house = make(scripts={"door": [pictures(5)]})
    watch = house.host.posts["door"].watch
    house.host.posts["door"].feed._run()
    lesson = watch._lesson = Future()
    assert not house.host._is_over()
    lesson.set_exception(NotLearntError("too little"))
    assert house.host._is_over()


def test_it_fails_when_no_camera_can_ever_be_read(make):
    house = make("door", scripts={"door": [[SourceUnusableError("door has no video")]]})
    with pytest.raises(SourceUnusableError, match="camera door: door has no video"):
        house.run()


def test_a_camera_that_ended_with_an_error_is_opened_again_while_others_live(make, monkeypatch):
    monkeypatch.setattr(serve, "REOPEN_EVERY_S", 0.0)
    lost = SourceUnavailableError("yard is not there")
    house = make(
        "door", "yard", scripts={"door": [[SourceUnusableError("door boots")]], "yard": [[lost]]}
    )
    stop = threading.Event()
    original = house.source

    def source(camera, *, paced=True):
        if house.opened.count("door") == 3:
            stop.set()
        return original(camera, paced=paced)

    monkeypatch.setattr(compose, "make_source", source)
    house.run(stop)
    assert house.opened.count("door") >= 3
    assert house.opened.count("yard") == 1


def test_cameras_that_hang_are_waited_for_together(make):
    names = [f"c{number}" for number in range(6)]
    house = make(*names)
    together = threading.Barrier(len(names), timeout=20)
    for post in house.host.posts.values():
        post.feed.start()
        post.feed.stop = together.wait  # one after the other they would wait for ever
    stop = threading.Event()
    stop.set()
    for worker in house.host._workers:
        worker.start()
    house.host._publish.start()
    house.host._end()
    assert not together.broken


def test_a_broker_that_hangs_does_not_hold_up_the_end(make, monkeypatch):
    house = make()
    hanging = threading.Event()
    monkeypatch.setattr(serve, "LEAVE_S", 0.01)
    monkeypatch.setattr(house.broker, "stop", hanging.wait)
    house.run()
    hanging.set()


def test_it_does_not_go_on_without_a_publisher(make, monkeypatch):
    house = make(scripts={"door": [[SourceUnavailableError("gone")]]})
    monkeypatch.setattr(house.host._publish, "_target", lambda *_: None)
    with pytest.raises(VadError, match="publish thread has died"):
        house.run()


def test_statistics_are_complete_and_hold_no_secret(make):
    house = make("door", "yard", scripts={"door": [[SourceUnavailableError("door is gone")]]})
    door = house.host.posts["door"]
    door.tally.failed, door.tally.disabled, door.tally.problem = 3, 2, "it broke"
    door.feed._on_lost(SourceUnavailableError("door is gone"))
    stats = house.host.stats()
    assert decode_stats(encode_stats(stats)) == stats
    figures = json.loads(encode_stats(stats))
    assert [camera["camera"] for camera in figures["cameras"]] == ["door", "yard"]
    assert figures["cameras"][0]["dropped"] == {
        "unread": 0, "corrupt": 0, "unhealthy": 0, "failed": 3, "disabled": 2,
    }  # fmt: skip
    assert figures["cameras"][0]["learnt_share"] == 0.0
    assert {"camera door: it broke", "camera door: door is gone"} <= set(figures["problems"])
    assert {"alerts_raised", "alerts_pending", "alerts_sent", "new_dropped"} <= set(
        figures["counters"]
    )
    assert "hunter2" not in encode_stats(stats).decode()


def test_what_the_cameras_saw_is_on_the_disk_when_it_ends(make):
    house = make(scripts={"door": [pictures(5)]})
    feed(house.host._store, 40, start=int(5 * (time.time() - 1000)))
    house.run()
    (path,) = (house.config.data_dir / "features" / "door").glob("*.clip")
    stats = house.host._camera_stats("door")
    assert (stats.stored_clips, stats.stored_bytes) == (1, path.stat().st_size)


def test_what_cannot_be_kept_is_told(make):
    house = make()
    store = house.host._store
    store.problem, store.counts["lost"] = "no room", 2
    stats = house.host.stats()
    assert "no room" in stats.problems
    assert (stats.counters["clips_written"], stats.counters["clips_lost"]) == (0, 2)


def test_outbox_and_pictures_are_looked_after_without_any_event(make, monkeypatch):
    house = make(scripts={"door": [pictures(1)]})
    seen = []
    monkeypatch.setattr(house.host._outbox, "retry", lambda _: seen.append("outbox"))
    monkeypatch.setattr(house.host._desk, "prune", lambda _: seen.append("pictures"))
    house.run()
    assert seen[:2] == ["outbox", "pictures"]


def test_a_switch_is_obeyed_and_anything_else_is_not(make, caplog):
    house = make()
    house.host._introduce()
    house.broker.come()
    post = house.host.posts["door"]
    house.broker._handlers[SWITCH](SWITCH, b"OFF")
    assert post.status is CameraStatus.DISABLED
    house.broker._handlers[SWITCH](SWITCH, b"maybe")
    assert "a switch takes ON or OFF" in caplog.text
    assert post.status is CameraStatus.DISABLED
    house.broker._handlers[SWITCH](SWITCH, b"ON")
    assert post.status is CameraStatus.OFFLINE
    for _ in range(10):
        house.host._publisher.pump()
    assert house.payloads("vad/h/door/detect/state") == [b"ON"]


def test_who_guides_a_host_without_a_word_model_is_told_so(make):
    house = make()
    house.host._introduce()
    house.broker.come()
    topic = "vad/h/door/guidance/set"
    house.broker._handlers[topic](topic, b'{"add": {"text": "a dog", "polarity": "normal"}}')
    for _ in range(10):
        house.host._publisher.pump()
    (payload,) = house.payloads("vad/h/door/guidance/state")
    assert "no word model" in decode_state(payload).refused.reason


class FakeDesk:
    """As a ``GuidanceDesk`` whose thread is the test's."""

    problem = "it cannot be followed"

    def __init__(self, thread):
        self.thread = thread
        self.calls = []

    def start(self):
        self.calls.append("start")

    def stop(self):
        self.calls.append("stop")


def test_whoever_guides_is_started_told_of_and_stopped(make):
    house = make(scripts={"door": [pictures(1)]})
    desk = house.host._guidance = FakeDesk(threading.current_thread())
    house.run()
    assert desk.calls == ["start", "stop"]
    assert "it cannot be followed" in house.host.stats().problems


def test_it_does_not_go_on_when_nobody_guides_any_more(make):
    house = make(scripts={"door": [[SourceUnavailableError("gone")]]})
    house.host._guidance = FakeDesk(threading.Thread(name="guidance"))
    with pytest.raises(VadError, match="guidance thread has died"):
        house.run()


def test_the_status_of_every_camera_is_announced(make):
    house = make()
    house.host._look_at("door", house.host.posts["door"])
    house.broker.come()
    for _ in range(10):
        house.host._publisher.pump()
    assert [decode_status(said) for said in house.payloads(STATUS)] == [CameraStatus.OFFLINE]


def test_a_learnt_camera_alarms_by_its_model_and_a_silent_one_ends_its_events(make, tmp_path):
    model = learnt(make_config(tmp_path), threshold=2.0)
    house = make()
    post = house.host.posts["door"]
    house.host._look_at("door", post)
    assert house.host.stats().model_version == model.version
    for index in range(4):
        seen = percept(index)
        score = frame_score(seen.frame.time_s, region(1, 2.1))
        house.host._desk.take(score, seen.frame)
    assert house.host._desk.open_events("door") == 1
    house.host._look_at("door", post)  # the camera is offline and its frames are long past
    assert house.host._desk.open_events("door") == 0
    house.broker.come()
    for _ in range(10):
        house.host._publisher.pump()
    told = [decode_event(payload).kind.value for payload in house.payloads("vad/h/events")]
    assert told == ["new", "end"]


def test_a_generation_is_followed_while_it_runs_and_its_limits_are_armed(make, tmp_path):
    own = learnt(make_config(tmp_path), threshold=2.0)
    house = make()
    post, host = house.host.posts["door"], house.host

    def look(frames):
        """Some seconds of the host's life: frames are scored, the host looks after itself."""
        scores = [post.watch.observe(seen) for seen in frames]
        host._renewal.look()
        if host._renewal._work is not None:
            host._renewal._work.exception(timeout=60)
        host._look_at("door", post)
        return scores

    look(map(percept, range(5)))
    assert host.stats().model_version == own.version
    for index in range(4):
        host._desk.take(frame_score(time.time() + index / 5, region(1, 9.0)), percept(index).frame)
    generations = Generations(tmp_path / "models")
    model = students.learnt(frames=300, created_s=4e9)
    version = generations.add(students.artifact(), {"door": model}, TRIED, created_s=4e9)
    generations.point_to(version, reason="better")
    scores = [score for k in range(5, 20, 5) for score in look(map(percept, range(k, k + 5)))]
    assert all(score is not None for score in scores)
    assert host.stats().model_version == version
    assert host._desk._alarms["door"].limits.raise_at == pytest.approx(model.threshold)
    assert host._desk.counts("door").opened == 1

    (tmp_path / "models" / "current.json").write_text("{")
    look([])
    look([])
    assert any("go on with the models that they have" in p for p in host.stats().problems)
    assert post.watch.model.version == version


def test_a_score_is_never_compared_with_the_limits_of_another_model(make, tmp_path):
    learnt(make_config(tmp_path), threshold=2.0)
    house = make()
    host, watch = house.host, house.host.posts["door"].watch
    model = students.learnt(frames=300, created_s=4e9)
    taken = []

    def take(score, frame):
        taken.append((watch.model, host._desk._alarms[frame.camera].limits.raise_at))

    host._desk.take = take
    for index in range(4):
        watch.follow(model if index % 2 else None)
        host._workers[0]._judge(percept(index))
    assert [judge is model for judge, _ in taken] == [False, True, False, True]
    assert [limit for _, limit in taken] == pytest.approx([judge.threshold for judge, _ in taken])


def test_no_camera_at_all_is_a_mistake(tmp_path):
    config = EdgeConfig.model_validate(
        {"host": "h", "data_dir": tmp_path, "cameras": {"a": {"source": "x", "enabled": False}}}
    )
    with pytest.raises(ConfigError, match="no camera is enabled"):
        Host(config, events=StringIO())


@pytest.mark.system
def test_without_a_broker_nothing_but_events_is_printed_and_each_ends_with_the_footage(tmp_path):
    path = tmp_path / "edge.yaml"
    path.write_text(
        "host: h\nmqtt: {enabled: false}\ncameras:\n"
        '  door: {source: "synthetic:precinct?duration=8&fps=5&size=320x180"}\n'
    )
    learnt(load_config(path), threshold=0.0)  # whoever is in sight is unusual
    command = [sys.executable, "-m", "edge.cli", "run", "-c", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = [decode_event(line.encode()) for line in done.stdout.splitlines()]
    news, ends = ([t.after.id for t in told if t.kind.value == kind] for kind in ("new", "end"))
    assert news
    assert sorted(news) == sorted(ends)
    assert "camera door is online" in done.stderr


class FakeApprentice:
    problem, said = "it failed", "waiting"

    def __init__(self):
        self.seen = []
        self.stopped = False

    def look(self, clips):
        self.seen.append(list(clips))

    def stop(self):
        self.stopped = True


def test_whoever_learns_beside_is_looked_after_and_taken_along(make):
    house = make(scripts={"door": [pictures(5)]})
    apprentice = house.host._apprentice = FakeApprentice()
    house.run()
    assert apprentice.seen[0] == [0]
    assert apprentice.stopped
    stats = house.host.stats()
    assert stats.learning == "waiting"
    assert "it failed" in stats.problems
    assert decode_stats(encode_stats(stats)) == stats
