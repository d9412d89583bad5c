import json
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge import atomic
from edge.adoption import Shadow, Verdict
from edge.errors import ModelError, StorageError, VadError
from edge.generation import POINTER, Generations, Pointer
from tests.fakes.students import artifact, learnt

VERDICT = Verdict(True, "within budget", (Shadow("door", 7200.0, 2.0, 1, 0),))


@pytest.fixture(scope="module")
def made():
    return artifact()


@pytest.fixture(scope="module")
def model():
    return learnt(frames=300)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "models"


@pytest.fixture
def generations(folder):
    return Generations(folder)


@pytest.fixture
def add(generations, made, model):
    return lambda created_s=1e9: generations.add(
        made, {"door": model}, VERDICT, created_s=created_s
    )


def test_what_was_added_is_there_whole(generations, add, made, folder):
    version = add()
    assert version == f"20010909T014640Z-{made.version}"
    (listed,) = generations.list()
    assert listed == (version, generations.entry(version))
    generation = generations.load(version)
    assert generation.entry.verdict == VERDICT
    assert generation.models["door"].student is generation.student
    assert generation.models["door"].version == version
    assert [path.name for path in folder.iterdir()] == [version]


def test_nobody_is_judged_by_it_before_it_is_pointed_to(generations, add):
    add()
    assert generations.current() == Pointer()
    assert generations.stamp() is None


def test_pointing_remembers_what_judged_before(generations, add):
    first, second = add(1e9), add(2e9)
    generations.point_to(first, reason="better", now_s=1.0)
    before = generations.stamp()
    assert generations.point_to(second, reason="better still", now_s=2.0) == generations.current()
    assert generations.current() == Pointer(second, first, 2.0, "better still")
    assert generations.stamp() != before
    generations.point_to(second, reason="again", now_s=3.0)
    assert generations.current().before == first


def test_a_roll_back_goes_to_what_judged_before_and_then_to_no_student(generations, add):
    first, second = add(1e9), add(2e9)
    for version in (first, second):
        generations.point_to(version, reason="")
    assert generations.roll_back(reason="flood", by_itself=True, now_s=5.0) == Pointer(
        first, None, 5.0, "flood", by_itself=True
    )
    assert generations.roll_back(reason="again").version is None


def test_a_roll_back_ends_without_a_student_where_the_one_before_is_damaged(
    generations, add, folder
):
    first, second = add(1e9), add(2e9)
    for version in (first, second):
        generations.point_to(version, reason="")
    shutil.rmtree(folder / first / "student")
    pointer = generations.roll_back(reason="flood")
    assert pointer.version is None
    assert pointer.reason.startswith("flood; ")


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(data=st.data())
def test_a_damaged_generation_is_refused_and_not_pointed_to(generations, add, folder, data):
    shutil.rmtree(folder, ignore_errors=True)
    version = add()
    path = data.draw(st.sampled_from(files(folder)))
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    what = data.draw(st.sampled_from(["gone", "cut", "flipped"]))
    if what == "gone":
        path.unlink()
    elif what == "cut":
        path.write_bytes(content[:place])
    else:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    for_people = path.name == "generation.json" and what == "flipped"  # a reason, say
    with suppress(VadError) if for_people else pytest.raises(VadError, match=str(folder)):
        generations.load(version)
    assert [name for name, _ in generations.list()] == [version]
    if not for_people:
        with pytest.raises(VadError):
            generations.point_to(version, reason="")
        assert generations.current() == Pointer()


@pytest.mark.parametrize("version", ["", "..", "../x", "nobody", ".hidden"])
def test_a_version_that_is_none_is_said(generations, add, version):
    add()
    with pytest.raises(ModelError, match="no generation"):
        generations.load(version)


def test_a_student_that_misses_its_golden_scores_is_not_added(generations, made, model, folder):
    wrong = replace(made, golden=replace(made.golden, scores=made.golden.scores + 1))
    with pytest.raises(ModelError, match="golden"):
        generations.add(wrong, {"door": model}, VERDICT, created_s=1e9)
    assert not folder.exists()


def test_a_camera_of_another_student_is_not_added(generations, model):
    with pytest.raises(ModelError, match="camera door: not calibrated"):
        generations.add(artifact(seed=4), {"door": model}, VERDICT, created_s=1e9)


def test_a_full_disk_leaves_nothing_behind(generations, add, folder, monkeypatch):
    def refuse(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", refuse)
    with pytest.raises(StorageError, match="No space left"):
        add()
    assert list(folder.iterdir()) == []


def test_what_a_killed_process_left_is_no_generation(generations, add, folder):
    version = add()
    (folder / version).rename(folder / f".{version}.1.partial")
    assert generations.list() == []


def test_the_oldest_go_but_never_the_one_that_judges_or_the_one_before(folder, made, model):
    generations = Generations(folder, kept=3)
    versions = []
    for number in range(6):
        versions.append(generations.add(made, {"door": model}, VERDICT, created_s=1e9 + number))
        if number < 2:
            generations.point_to(versions[-1], reason="")
    assert [name for name, _ in generations.list()] == [versions[0], versions[1], versions[5]]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "x"}', "\udc80"])
def test_a_damaged_pointer_is_said_and_another_mends_it(generations, add, folder, content):
    version = add()
    (folder / POINTER).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ModelError, match="roll back"):
        generations.current()
    generations.point_to(version, reason="mended")
    assert generations.current().version == version


def test_a_name_in_the_header_is_no_way_out(generations, add, folder):
    version = add()
    path = Path(folder, version, "generation.json")
    header = json.loads(path.read_text())
    path.write_text(json.dumps(header | {"version": "other"}))
    with pytest.raises(ModelError, match="this name"):
        generations.load(version)


def test_where_nothing_was_adopted_a_roll_back_writes_nothing(generations, folder):
    assert generations.roll_back(reason="by hand") == Pointer()
    assert not folder.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 5},
        {"before": ["x"]},
        {"reason": None},
        {"by_itself": "no"},
        {"since_s": "today"},
        {"since_s": float("nan")},
        {"since_s": float("inf")},
    ],
)
def test_a_pointer_of_other_types_is_damaged_and_rolled_back(generations, add, folder, fields):
    generations.point_to(add(), reason="better")
    path = folder / POINTER
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    with pytest.raises(ModelError, match="vad-edge models rollback"):
        generations.current()
    assert generations.roll_back(reason="by hand").version is None
    assert generations.current().reason == "by hand"


@pytest.mark.parametrize("figure", [{"footage_s": "long"}, {"candidate_alarms": None}])
def test_a_verdict_of_other_types_is_damaged(generations, add, folder, figure):
    path = folder / add() / "generation.json"
    header = json.loads(path.read_text())
    header["verdict"]["figures"][0] |= figure
    path.write_text(json.dumps(header))
    ((_, listed),) = generations.list()
    assert isinstance(listed, ModelError)


def test_what_a_killed_process_left_half_written_goes_with_the_next(add, folder):
    left = folder / ".20200101T000000Z-x.1.partial"
    (left / "student").mkdir(parents=True)
    version = add()
    assert [path.name for path in folder.iterdir()] == [version]


def test_the_same_student_in_the_same_second_is_another_generation(generations, add):
    versions = [add(), add(), add()]
    assert versions == sorted(set(versions))
    assert [version for version, _ in generations.list()] == versions
