from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aggregator.distil_folder import has_result, read_result, task_of, write_task
from aggregator.distillation.worker import carry_out
from aggregator.public.videos import PublicSet
from aggregator.strategies.port import Cluster
from edge.errors import ConfigError, ModelError, StorageError
from edge.model.spec import StudentSpec
from edge.model.student import make_student, weights_of
from tests.aggregator.distillation.public_sets import (
    CLASSES,
    QUICK,
    QUICK_TEACHER,
    WIDTH,
    a_set,
    some,
)

SPEC = StudentSpec("density", WIDTH, hidden=8)
MODEL = weights_of(make_student(SPEC, seed=0))
BRIEF = replace(QUICK, steps=3, teacher=replace(QUICK_TEACHER, epochs=2))
CLUSTERS = (
    Cluster(2, MODEL, ("attic", "door"), np.array([1, 0], np.float32)),
    Cluster(5, MODEL, ("yard",), np.array([0, 1], np.float32)),
)


def given(folder: Path, clusters=CLUSTERS, classes=CLASSES, model=MODEL):
    task = task_of(4, classes, model, clusters)
    write_task(folder, task)
    return task


def done(folder: Path, spec=SPEC, public=None, captions=True):
    return carry_out(
        folder,
        spec,
        public or a_set(),
        BRIEF,
        captions=captions,
        seed=0,
        teachers=folder / "teachers",
    )


def test_every_cluster_s_model_comes_out(tmp_path) -> None:
    task = given(tmp_path)
    told = [each.as_json() for each in done(tmp_path)]
    assert [each["videos"] for each in told] == [16, 0]
    improved = read_result(tmp_path, task)
    assert (improved[2]["fc1.weight"] != MODEL["fc1.weight"]).any()
    np.testing.assert_array_equal(improved[5]["fc1.weight"], MODEL["fc1.weight"])


def test_the_one_model_of_a_federation_without_clusters_learns_from_all_videos(tmp_path) -> None:
    given(tmp_path, clusters=(), classes=())
    assert [each.videos for each in done(tmp_path)] == [16]


def test_whoever_does_it_again_makes_the_same_with_the_same_teacher(tmp_path) -> None:
    results = []
    for name in ("one", "other"):
        task = given(tmp_path / name)
        done(tmp_path / name)
        results.append(read_result(tmp_path / name, task))
    np.testing.assert_array_equal(results[0][2]["fc1.weight"], results[1][2]["fc1.weight"])
    assert len(list((tmp_path / "one" / "teachers").iterdir())) == 1


@pytest.mark.parametrize(
    ("public", "said"),
    [
        (replace(a_set(), videos=()), "empty"),
        (replace(a_set(), classes=("dog", "cat")), "the same classes"),
        (a_set(*(replace(v, text=0 * v.text) for v in some())), "caption"),
    ],
)
def test_a_public_set_of_another_federation_is_refused(tmp_path, public, said) -> None:
    given(tmp_path)
    with pytest.raises(ConfigError, match=said):
        done(tmp_path, public=public)
    assert not has_result(tmp_path)


def test_a_set_that_counts_no_objects_teaches_every_cluster_by_all_videos(tmp_path, caplog) -> None:
    given(tmp_path)
    uncounted = (replace(v, objects=np.zeros(0, np.float32)) for v in some())
    told = done(tmp_path, public=PublicSet((), tuple(uncounted)))
    assert [each.videos for each in told] == [16, 16]
    assert "all videos" in caplog.text


def test_captions_may_be_missing_where_nobody_reads_them(tmp_path) -> None:
    given(tmp_path)
    silent = a_set(*(replace(v, text=0 * v.text) for v in some()))
    assert done(tmp_path, public=silent, captions=False)


def test_another_student_is_refused(tmp_path) -> None:
    given(tmp_path)
    with pytest.raises(ConfigError, match="features"):
        done(tmp_path, spec=replace(SPEC, inputs=9))
    with pytest.raises(ModelError):
        done(tmp_path, spec=replace(SPEC, hidden=16))
    with pytest.raises(StorageError, match="no task"):
        done(tmp_path / "nowhere")
