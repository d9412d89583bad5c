import threading

import pytest

from edge.ingest.latest import Mailroom
from edge.vitals import Stopwatch
from edge.worker import Worker
from tests.fakes.percepts import frame, percept
from tests.fakes.scores import frame_score


class Perception:
    """Sees everything but the cameras in ``blind``."""

    def __init__(self):
        self.blind = set()
        self.batches = []

    def observe(self, frames):
        self.batches.append([frame.camera for frame in frames])
        if blind := self.blind & {frame.camera for frame in frames}:
            raise RuntimeError(f"{blind} is broken")
        return [percept(frame.index, frame.camera) for frame in frames]


class Watch:
    def __init__(self):
        self.enabled = True
        self.score = frame_score(1000.0)
        self.error = None

    def observe(self, percept):
        if self.error:
            raise self.error
        return self.score


class Desk:
    def __init__(self):
        self.taken = []
        self.armed = []

    def take(self, score, frame):
        assert self.armed[-1] == frame.camera
        self.taken.append(frame.camera)


class Bench:
    """A worker with two cameras whose frames the test puts into their mailboxes."""

    def __init__(self, sight=None):
        self.room, self.perception, self.desk = Mailroom(), Perception(), Desk()
        self.boxes = {name: self.room.add() for name in ("door", "yard")}
        self.watches = {name: Watch() for name in self.boxes}
        self.worker = Worker(
            "worker",
            self.room,
            self.perception,
            self.watches,
            desk=self.desk,
            desk_lock=threading.Lock(),
            arm=self.desk.armed.append,
            stopwatch=Stopwatch(),
            sight=sight,
        )

    def turn(self):
        for name, box in self.boxes.items():
            box.put(frame(camera=name))
        self.worker.turn(timeout_s=0)

    def tally(self, name):
        return self.worker.tallies[name]


@pytest.fixture
def bench():
    return Bench()


def test_frames_of_all_cameras_are_seen_in_one_batch_and_scored(bench):
    bench.turn()
    assert [sorted(batch) for batch in bench.perception.batches] == [["door", "yard"]]
    assert sorted(bench.desk.taken) == ["door", "yard"]
    assert bench.tally("door").scored == bench.tally("door").analysed == 1
    assert len(bench.tally("door").latencies.noted_ms()) == 1


def test_a_camera_that_breaks_perception_costs_the_others_nothing(bench, caplog):
    bench.perception.blind = {"yard"}
    bench.turn()
    bench.turn()
    assert bench.desk.taken == ["door", "door"]
    assert (bench.tally("yard").failed, bench.tally("door").failed) == (2, 0)
    assert "broken" in bench.tally("yard").problem
    assert caplog.text.count("camera yard: its frames cannot be analysed") == 1
    bench.perception.blind = set()
    bench.turn()
    assert bench.tally("yard").problem == ""
    assert bench.tally("yard").scored == 1


def test_a_camera_whose_scoring_fails_costs_the_others_nothing(bench):
    bench.watches["yard"].error = ValueError("odd shape")
    bench.turn()
    assert bench.desk.taken == ["door"]
    assert "ValueError: odd shape" in bench.tally("yard").problem


def test_frames_of_a_camera_that_is_switched_off_are_counted_not_seen(bench):
    bench.watches["yard"].enabled = False
    bench.turn()
    assert bench.perception.batches == [["door"]]
    assert bench.tally("yard").disabled == 1


def test_a_learning_camera_is_analysed_but_not_scored(bench):
    bench.watches["yard"].score = None
    bench.turn()
    assert (bench.tally("yard").analysed, bench.tally("yard").scored) == (1, 0)
    assert bench.desk.taken == ["door"]


def test_it_stops_while_no_frame_comes(bench):
    bench.worker.start()
    bench.worker.stop()
    assert not bench.worker.thread.is_alive()


class Sight:
    """Sees everything but the cameras in ``blind``."""

    def __init__(self):
        self.blind = set()
        self.batches = []

    def look(self, seen):
        cameras = sorted(each.frame.camera for each in seen)
        self.batches.append(cameras)
        if self.blind & set(cameras):
            raise RuntimeError("the network is broken")


def test_the_actions_of_all_cameras_are_seen_in_one_batch_before_they_are_judged():
    sight = Sight()
    bench = Bench(sight)
    bench.turn()
    assert sight.batches == [["door", "yard"]]
    assert sorted(bench.desk.taken) == ["door", "yard"]


def test_a_camera_whose_actions_cannot_be_seen_costs_the_others_nothing(caplog):
    sight = Sight()
    bench = Bench(sight)
    sight.blind = {"yard"}
    bench.turn()
    assert bench.desk.taken == ["door"]
    assert "network is broken" in bench.tally("yard").problem
    assert (bench.tally("yard").failed, bench.tally("door").failed) == (1, 0)


def test_no_frame_is_no_look():
    sight = Sight()
    Bench(sight).worker.turn(timeout_s=0)
    assert sight.batches == []
