"""The distilling process as the serving one sees it, played by small scripts."""

import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from aggregator.distil_folder import Task, read_task, task_of, write_result, write_task
from aggregator.distilling import Distiller
from aggregator.strategies.port import Cluster
from edge.errors import StorageError

MODEL = {"w": np.arange(3, dtype=np.float32)}
CLUSTERS = (
    Cluster(2, {"w": MODEL["w"], "extra": np.ones(1, np.float32)}, ("a", "b"), None),
    Cluster(5, {"w": -MODEL["w"]}, ("c",), np.array([0.25, 0.75], np.float32)),
)
PATIENCE_S = 60.0
PRELUDE = """
import sys, time
from pathlib import Path
from aggregator.distil_folder import OUT, read_task, write_result
folder = Path(sys.argv[2])
assert sys.argv[1] == "--work"
"""
DOUBLE = """
task = read_task(folder)
write_result(folder, task, {each.label: {"w": 2 * each.model["w"]} for each in task.models})
"""
FAULTS = {
    "no public videos": "print('what came before', file=sys.stderr); sys.exit('no public videos')",
    "it said nothing": "import os; os.kill(os.getpid(), 9)",
    "ended without a result": "pass",
    "cannot read": "(folder / OUT).mkdir()",
    "too few": "(folder / OUT).mkdir(); [(folder / OUT / n).write_bytes(b'') for n in "
    "('2.safetensors', '5.safetensors')]",
}


def task(number: int = 3, clusters: tuple[Cluster, ...] = CLUSTERS) -> Task:
    return task_of(number, ("person", "car"), MODEL, clusters)


def distiller(folder: Path, script: str) -> Distiller:
    text = PRELUDE + textwrap.dedent(script)
    return Distiller([sys.executable, "-c", text], folder / "distillation")


def ended(worker: Distiller) -> dict:
    deadline_s = time.monotonic() + PATIENCE_S
    while (result := worker.result(late=False)) is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    return result


@pytest.mark.parametrize("clusters", [CLUSTERS, ()])
def test_a_task_comes_back_as_it_was_and_without_what_is_no_model(tmp_path: Path, clusters):
    write_task(tmp_path, task(clusters=clusters))
    told = read_task(tmp_path)
    assert (told.round, told.classes, told.clustered) == (3, ("person", "car"), bool(clusters))
    assert [each.label for each in told.models] == ([2, 5] if clusters else [0])
    for found, meant in zip(told.models, clusters or (Cluster(0, MODEL, (), None),), strict=True):
        assert found.members == meant.members
        np.testing.assert_array_equal(found.objects, meant.objects)
        assert list(found.model) == ["w"]
        np.testing.assert_array_equal(found.model["w"], meant.model["w"])
    names = sorted(path.name for path in (tmp_path / "in").iterdir())
    files = ["2.safetensors", "5.safetensors"] if clusters else ["model.safetensors"]
    assert names == [*files, "task.json"]


def test_an_incomplete_task_is_none(tmp_path: Path):
    write_task(tmp_path, task())
    (tmp_path / "in" / "5.safetensors").unlink()
    with pytest.raises(StorageError, match="no task"):
        read_task(tmp_path)


def test_improved_models_come_back(tmp_path: Path):
    worker = distiller(tmp_path, DOUBLE)
    worker.begin(task())
    assert {label: model["w"].tolist() for label, model in ended(worker).items()} == {
        2: [0, 2, 4],
        5: [0, -2, -4],
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_becomes_of_it_costs_the_distillation_alone(tmp_path: Path, fault: str, caplog):
    worker = distiller(tmp_path, FAULTS[fault])
    worker.begin(task())
    assert ended(worker) == {}
    assert fault in caplog.text
    assert "round 3: the models are not distilled" in caplog.text


def test_one_that_hangs_is_ended_and_said(tmp_path: Path, caplog):
    worker = distiller(tmp_path, "time.sleep(3600)")
    worker.begin(task())
    assert worker.result(late=False) is None
    process = worker._process
    assert worker.result(late=True) == {}
    assert process.poll() is not None
    assert "took too long" in caplog.text


def test_one_that_cannot_be_started_is_said(tmp_path: Path, caplog):
    worker = Distiller([str(tmp_path / "none")], tmp_path / "distillation")
    worker.begin(task())
    assert worker.result(late=False) == {}
    assert "cannot be started: No such file" in caplog.text


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, caplog):
    (tmp_path / "distillation").write_bytes(b"")
    worker = distiller(tmp_path, DOUBLE)
    worker.begin(task())
    assert worker.result(late=False) == {}
    assert "cannot write" in caplog.text


def test_a_result_that_is_there_is_not_made_again(tmp_path: Path):
    distiller(tmp_path, "time.sleep(3600)")  # of a process that was killed when all was done
    folder = tmp_path / "distillation" / "3"
    write_task(folder, task())
    write_result(folder, task(), {2: {"w": np.ones(3, np.float32)}, 5: MODEL})
    worker = distiller(tmp_path, "sys.exit('not again')")
    worker.begin(task())
    assert worker.result(late=True)[2]["w"].tolist() == [1, 1, 1]


def test_a_result_of_other_models_is_made_again(tmp_path: Path):
    folder = tmp_path / "distillation" / "3"
    others = task(clusters=(Cluster(2, {"w": 9 * MODEL["w"]}, ("a", "b"), None), CLUSTERS[1]))
    write_task(folder, others)
    write_result(folder, others, {2: MODEL, 5: MODEL})
    worker = distiller(tmp_path, DOUBLE)
    worker.begin(task())
    assert ended(worker)[5]["w"].tolist() == [0, -2, -4]


def test_two_that_make_the_same_do_not_disturb_each_other(tmp_path: Path):
    write_task(tmp_path, task())
    for _ in range(2):
        write_result(tmp_path, task(), {2: MODEL, 5: MODEL})
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "2.safetensors",
        "5.safetensors",
    ]


def test_what_other_rounds_left_is_deleted(tmp_path: Path):
    worker = distiller(tmp_path, DOUBLE)
    for number in (3, 4):
        worker.begin(task(number))
        ended(worker)
    assert [path.name for path in (tmp_path / "distillation").iterdir()] == ["4"]


def test_it_ends_with_the_serving_process(tmp_path: Path):
    worker = distiller(tmp_path, "time.sleep(3600)")
    worker.begin(task())
    process = worker._process
    worker.stop()
    assert process.poll() is not None
