import json

import pytest

from edge.adoption import Shadow, Verdict
from edge.generation import Generations
from tests.fakes.students import artifact, learnt

VERDICT = Verdict(True, "within budget", (Shadow("door", 7200.0, 2.0, 1, 3),))


@pytest.fixture(scope="module")
def model():
    return learnt(frames=300)


@pytest.fixture
def host(shell, model):
    """The configuration of a host with two generations, the second of which judges."""
    generations = Generations(shell.folder / "data" / "models")
    versions = []
    for created_s in (1e9, 2e9):
        versions.append(generations.add(artifact(), {"door": model}, VERDICT, created_s=created_s))
        generations.point_to(versions[-1], reason="within budget", now_s=created_s)
    return shell.street(), generations, versions


def test_all_are_listed_with_their_place(shell, host):
    config, _, (first, second) = host
    code, told = shell.json("models", "list", "-c", config)
    assert code == 0
    assert [(row["version"], row["state"]) for row in told["generations"]] == [
        (first, "before"),
        (second, "judges"),
    ]
    assert told["current"]["version"] == second
    _, out, _ = shell.run("models", "list", "-c", config)
    assert f"{first}  before    within budget" in out
    assert f"judging: {second}, since 2033-05-18T03:33:20Z: within budget" in out


def test_a_host_without_students_says_so(shell):
    code, out, _ = shell.run("models", "list", "-c", shell.street())
    assert code == 0
    assert out == "judging: no student: no student was adopted yet\n"


def test_one_is_shown_with_what_its_adoption_rests_on(shell, host):
    config, _, (first, _) = host
    code, told = shell.json("models", "show", first, "-c", config)
    assert code == 0
    assert told["verdict"]["figures"][0]["running_alarms"] == 3
    assert told["student"]["head"] == "density"
    assert told["provenance"] == {"round": 1}
    assert set(told["thresholds"]) == {"door"}
    _, out, _ = shell.run("models", "show", first, "-c", config)
    assert "camera door: 1 alarms in 2 h of footage that taught nobody, 3 by what judged" in out


@pytest.mark.parametrize(("asked", "expected"), [([], 0), (["none"], None), ([0], 0), ([1], 1)])
def test_a_roll_back_points_where_it_is_told(shell, host, asked, expected):
    config, generations, versions = host
    arguments = [versions[each] if isinstance(each, int) else each for each in asked]
    code, told = shell.json("models", "rollback", *arguments, "-c", config)
    assert code == 0
    wanted = None if expected is None else versions[expected]
    assert told["version"] == generations.current().version == wanted


def test_a_version_that_is_none_exits_with_2_and_changes_nothing(shell, host):
    config, generations, (_, second) = host
    for action in ("show", "rollback"):
        code, out, err = shell.run("models", action, "nobody", "-c", config)
        assert (code, out) == (2, "")
        assert "no generation 'nobody'" in err
    assert generations.current().version == second


def test_a_damaged_one_is_listed_refused_and_left(shell, host):
    config, generations, (first, second) = host
    header = shell.folder / "data" / "models" / second / "generation.json"
    header.write_text("{")
    code, told = shell.json("models", "list", "-c", config)
    assert code == 0
    assert told["generations"][1]["state"] == "damaged"
    assert shell.run("models", "show", second, "-c", config)[0] == 2
    assert shell.run("models", "rollback", "-c", config)[0] == 0
    assert generations.current().version == first


def test_the_answer_of_a_program_is_one_object(shell, host):
    config, *_ = host
    _, out, _ = shell.run("models", "list", "-c", config, "--format", "json")
    assert json.loads(out)["current"]["by_itself"] is False
