import sys

import pytest

from edge.apprentice import FIRST_PAUSE_S, Apprentice, make_apprentice, polite_command
from edge.config import EdgeConfig
from edge.training.outcome import Outcome, load_outcome, save_outcome

HOUR_S = 3600.0
ENOUGH = [0, 2]
WAITS = "import sys; sys.stdin.read()"
DEAF = "import time; time.sleep(600)"


class Clock:
    def __init__(self):
        self.now_s = 1e9

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(tmp_path, clock):
    made = []

    def make_one(code, *, every_s=HOUR_S, needs_footage=True):
        made.append(
            Apprentice(
                [sys.executable, "-c", code],
                tmp_path / "outcome.json",
                every_s=every_s,
                needs_footage=needs_footage,
                now_s=clock,
            )
        )
        return made[-1]

    yield make_one
    for apprentice in made:
        apprentice.stop()


def run_to_its_end(apprentice):
    apprentice.look(ENOUGH)
    process = apprentice._process
    assert process is not None
    process.wait()
    apprentice.look(ENOUGH)
    return process


def is_at_work(apprentice):
    return apprentice._process is not None


def test_it_waits_for_footage_that_can_teach_and_judge(make):
    apprentice = make(WAITS)
    apprentice.look([0, 1])
    assert not is_at_work(apprentice)
    apprentice.look(ENOUGH)
    assert is_at_work(apprentice)
    assert apprentice.said == "learning now"


def test_a_participant_needs_no_footage_to_be_there(make):
    apprentice = make(WAITS, needs_footage=False)
    apprentice.look([])
    assert is_at_work(apprentice)


def test_it_counts_from_the_end_of_the_last_training_whoever_did_it(make, clock, tmp_path):
    save_outcome(tmp_path / "outcome.json", Outcome(clock.now_s, "adopted", "fine"))
    apprentice = make(WAITS)
    apprentice.look(ENOUGH)
    assert not is_at_work(apprentice)
    assert apprentice.said == "waiting; last time adopted: fine"
    clock.now_s += HOUR_S
    apprentice.look(ENOUGH)
    assert is_at_work(apprentice)


@pytest.mark.parametrize("code", [0, 4])
def test_trained_and_refused_are_both_ends_without_a_problem(make, clock, tmp_path, code):
    outcome = tmp_path / "outcome.json"
    apprentice = make(f"import sys; sys.exit({code})")
    run_to_its_end(apprentice)
    save_outcome(outcome, Outcome(clock.now_s, "refused", "too loud"))
    assert apprentice.problem == ""
    apprentice.look(ENOUGH)
    assert not is_at_work(apprentice)


def test_failures_are_told_and_come_at_growing_distances(make, clock):
    apprentice = make("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    for pause_s in (FIRST_PAUSE_S, 2 * FIRST_PAUSE_S):
        run_to_its_end(apprentice)
        assert "ended by signal 9" in apprentice.problem
        clock.now_s += pause_s - 1
        apprentice.look(ENOUGH)
        assert not is_at_work(apprentice)
        clock.now_s += 1
    run_to_its_end(apprentice)


def test_what_went_wrong_is_told_in_its_own_words(make, clock, tmp_path):
    outcome = tmp_path / "outcome.json"
    apprentice = make("import sys; sys.exit(1)")
    save_outcome(outcome, Outcome(clock.now_s, "failed", "camera door: no clips"))
    run_to_its_end(apprentice)
    assert apprentice.problem == "the learning process failed: camera door: no clips"
    assert load_outcome(outcome) is not None


def test_a_process_that_cannot_be_started_is_a_problem(tmp_path, clock):
    apprentice = Apprentice(
        [str(tmp_path / "nothing")],
        tmp_path / "o.json",
        every_s=1.0,
        needs_footage=False,
        now_s=clock,
    )
    apprentice.look([])
    assert "cannot be started" in apprentice.problem


@pytest.mark.parametrize(("code", "ended"), [(WAITS, 0), (DEAF, -9)])
def test_it_goes_with_its_host(make, monkeypatch, code, ended):
    monkeypatch.setattr("edge.apprentice.LEAVE_S", 0.3 if code == DEAF else 30.0)
    apprentice = make(code)
    apprentice.look(ENOUGH)
    process = apprentice._process
    apprentice.stop()
    assert process.returncode == ended
    apprentice.stop()


def test_the_command_yields_and_ends_with_the_pipe(tmp_path):
    section = {"student": {"enabled": True, "every_h": 2}}
    config = EdgeConfig.model_validate(
        {
            "host": "h",
            "data_dir": tmp_path,
            "learning": section,
            "cameras": {"door": {"source": "x.mkv"}},
        }
    )
    apprentice = make_apprentice(config, tmp_path / "edge.yaml")
    command = apprentice._command
    assert command[0] == "env"
    assert "OMP_NUM_THREADS=1" in command
    assert command[-4:] == ["learn", "-c", str(tmp_path / "edge.yaml"), "--until-eof"]
    assert polite_command("x")[-3:] == ["-m", "edge.cli", "x"]


def test_nobody_learns_where_nobody_asked(tmp_path):
    values = {"host": "h", "data_dir": tmp_path, "cameras": {"door": {"source": "x.mkv"}}}
    assert make_apprentice(EdgeConfig.model_validate(values), tmp_path / "edge.yaml") is None


def test_an_outcome_of_a_clock_that_was_set_back_does_not_put_training_off(make, clock, tmp_path):
    future_s = clock() + 1000 * HOUR_S
    save_outcome(tmp_path / "outcome.json", Outcome(future_s, "adopted", "better"))
    apprentice = make(WAITS)
    apprentice.look(ENOUGH)
    assert is_at_work(apprentice)


def test_a_pause_does_not_outlast_a_clock_that_is_set_back(make, clock):
    apprentice = make("raise SystemExit(1)")
    run_to_its_end(apprentice)
    apprentice.look(ENOUGH)
    assert not is_at_work(apprentice)
    clock.now_s -= 1000 * HOUR_S
    apprentice.look(ENOUGH)
    assert is_at_work(apprentice)
