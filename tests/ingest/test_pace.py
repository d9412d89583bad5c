import threading
from types import SimpleNamespace

import pytest

from edge.ingest import pace as pace_module
from edge.ingest.pace import MAX_WAIT_S, Pace

PERIOD_S = 0.04
EXACTLY = 1e-9


class World:
    """A clock, and a thread that is woken up ``late_s`` after it wanted to be."""

    def __init__(self) -> None:
        self.now_s, self.late_s = 1000.0, 0.0

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        self.now_s += seconds + self.late_s


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(pace_module, "time", SimpleNamespace(monotonic=made.monotonic))
    return made


@pytest.mark.parametrize("late_s", [0.0, PERIOD_S / 2])
def test_times_are_as_far_apart_as_the_footage_says(world: World, late_s: float):
    pace = Pace(world)
    first_s, world.late_s = pace.wait_for(7.0), late_s
    for number in range(1, 50):
        due_s = pace.wait_for(7.0 + number * PERIOD_S)
        assert due_s == pytest.approx(first_s + number * PERIOD_S, abs=EXACTLY)
        assert world.now_s == pytest.approx(due_s + late_s, abs=EXACTLY)


def test_a_reader_that_lags_does_not_hurry_to_catch_up(world: World):
    pace = Pace(world)
    first_s = pace.wait_for(0.0)
    world.now_s += 10 * PERIOD_S
    assert pace.wait_for(PERIOD_S) == world.now_s == first_s + 10 * PERIOD_S
    assert pace.wait_for(2 * PERIOD_S) == pytest.approx(first_s + 11 * PERIOD_S, abs=EXACTLY)


@pytest.mark.parametrize("media_s", [0.0, 9.0, 10.1 + MAX_WAIT_S], ids=["again", "back", "hole"])
def test_what_cannot_be_waited_for_comes_at_once_and_begins_a_new_count(
    world: World, media_s: float
):
    pace = Pace(world)
    first_s = pace.wait_for(10.0)
    assert pace.wait_for(media_s) == first_s
    assert pace.wait_for(media_s + PERIOD_S) == pytest.approx(first_s + PERIOD_S, abs=EXACTLY)


@pytest.mark.timeout(MAX_WAIT_S / 2)
def test_who_wants_to_stop_waits_for_nothing():
    stop = threading.Event()
    pace = Pace(stop)
    pace.wait_for(0.0)
    stop.set()
    pace.wait_for(MAX_WAIT_S - 0.1)
