"""The cameras follow the pointer, whatever it points to."""

import shutil

import pytest

from edge import renewal as room
from edge.adoption import TRIAL_S, Shadow, Verdict
from edge.errors import StorageError
from edge.generation import Generations
from edge.renewal import Renewal
from tests.fakes.students import artifact, learnt

VERDICT = Verdict(True, "within budget", (Shadow("door", 7200.0, 2.0, 0, 0),))
NOW_S = 1e9


class Follower:
    """What a watch is told."""

    def __init__(self):
        self.told = []

    def follow(self, given):
        self.told.append(given and given.version)


class House:
    """A host with two cameras, a clock and a folder of generations."""

    def __init__(self, folder):
        self.folder = folder
        self.generations = Generations(folder)
        self.watches = {"door": Follower(), "yard": Follower()}
        self.alarms = dict.fromkeys(self.watches, 7)
        self.now_s = NOW_S
        self.renewal = Renewal(
            self.generations,
            self.watches,
            opened=self.alarms.__getitem__,
            now_s=lambda: self.now_s,
        )

    def add(self, created_s, *, point=True):
        version = self.generations.add(
            artifact(), {"door": self.model}, VERDICT, created_s=created_s
        )
        if point:
            self.generations.point_to(version, reason="it is better", now_s=self.now_s)
        return version

    def settle(self):
        """Look until nothing is under way."""
        for _ in range(4):
            self.renewal.look()
            if self.renewal._work is not None:
                self.renewal._work.exception(timeout=60)
        assert self.renewal._work is None

    def told(self, camera="door"):
        return self.watches[camera].told


@pytest.fixture(scope="module")
def model():
    return learnt(frames=300)


@pytest.fixture
def house(tmp_path, model):
    House.model = model
    return House(tmp_path / "models")


def test_without_a_generation_nobody_is_told_anything(house):
    house.settle()
    assert house.told() == []
    assert house.renewal.problem == ""


def test_the_pointer_is_followed_by_the_cameras_of_the_generation(house):
    version = house.add(1e9)
    house.settle()
    assert house.told() == [version]
    assert house.told("yard") == [None]


def test_looking_loads_nothing_where_nothing_has_changed(house, monkeypatch):
    house.add(1e9)
    house.settle()
    monkeypatch.setattr(house.generations, "load", None)
    house.settle()
    assert len(house.told()) == 1


def test_looking_never_waits_for_a_load(house, monkeypatch):
    house.add(1e9)
    work = []
    monkeypatch.setattr(room, "_beside", lambda do: work.append(do) or room.Future())
    for _ in range(3):
        house.renewal.look()
    assert len(work) == 1
    assert house.told() == []


def test_going_back_by_hand_is_followed(house):
    first, second = house.add(1e9), house.add(2e9)
    house.settle()
    house.generations.roll_back(reason="by hand")
    house.settle()
    house.generations.point_to(None, reason="by hand")
    house.settle()
    assert house.told() == [second, first, None]
    assert house.renewal.problem == ""


def test_a_generation_that_cannot_be_used_leaves_the_cameras_as_they_are(house):
    first = house.add(1e9)
    house.settle()
    second = house.add(2e9)
    shutil.rmtree(house.folder / second / "student")
    house.settle()
    assert house.told() == [first]
    assert "go on with the models that they have" in house.renewal.problem
    assert second in house.renewal.problem
    house.generations.roll_back(reason="by hand")
    house.settle()
    assert house.told() == [first, first]
    assert house.renewal.problem == ""


def test_a_flood_of_alarms_brings_the_one_before_back(house, caplog):
    first, second = house.add(1e9), house.add(2e9)
    house.settle()
    house.now_s += 3600
    house.alarms["door"] += 4
    house.settle()
    assert house.told() == [second]
    house.alarms["door"] += 1
    house.settle()
    assert house.told() == [second, None, first]
    pointer = house.generations.current()
    assert (pointer.version, pointer.by_itself) == (first, True)
    assert house.renewal.problem == pointer.reason
    assert pointer.reason in caplog.text
    assert f"generation {second} was taken back by itself: camera door: 5 alarms" in pointer.reason


def test_after_a_restart_it_is_still_told_that_one_was_taken_back(house):
    house.add(1e9)
    house.generations.roll_back(reason="flood", by_itself=True, now_s=house.now_s)
    again = House(house.folder)
    again.settle()
    assert again.renewal.problem == "flood"


def test_after_the_trial_nothing_is_taken_back(house):
    version = house.add(1e9)
    house.settle()
    house.now_s += TRIAL_S + 1
    house.renewal.look()
    house.alarms["door"] += 500
    house.settle()
    assert house.told() == [version]


def test_where_the_disk_refuses_a_roll_back_the_cameras_go_on_by_what_they_learnt(
    house, monkeypatch
):
    version = house.add(1e9)
    house.settle()

    def refuse(**_):
        raise StorageError("cannot write current.json: No space left on device")

    monkeypatch.setattr(house.generations, "roll_back", refuse)
    house.now_s += 3600
    house.alarms["door"] += 50
    house.settle()
    assert house.told() == [version, None]
    assert "No space left" in house.renewal.problem


def test_a_fault_of_ours_is_logged_with_its_origin(house, monkeypatch, caplog):
    house.add(1e9)
    monkeypatch.setattr(house.generations, "load", lambda _: 1 / 0)
    house.settle()
    assert "ZeroDivisionError" in caplog.text
    assert house.told() == []
