from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from aggregator.distillation.improve import Improver
from aggregator.distillation.memory import InFolder, InMemory, fingerprint_of
from aggregator.simulate.distilling import Distiller
from edge.model.spec import StudentSpec
from edge.model.student import make_student, weights_of
from tests.aggregator.distillation.public_sets import (
    QUICK,
    QUICK_TEACHER,
    WIDTH,
    a_set,
    some,
    video,
)

SPEC = StudentSpec("clap", WIDTH, hidden=8)
BRIEF = replace(QUICK, steps=3, teacher=replace(QUICK_TEACHER, epochs=2))
MODEL = weights_of(make_student(SPEC, seed=0))
PEOPLE, CARS = np.array([1, 0], np.float32), np.array([0, 1], np.float32)


class Counting(InMemory):
    """Counts what it is asked to keep."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: Counter[str] = Counter()

    def keep(self, task, knowledge) -> None:
        self.kept[task] += 1
        super().keep(task, knowledge)


def improver(memory=None, **changed):
    public = a_set(*some(), video("road", objects=(0, 1)), video("jam", objects=(0, 1)))
    return Improver(SPEC, replace(BRIEF, **changed), public, captions=True, seed=0, memory=memory)


def test_every_cluster_learns_from_the_videos_that_are_like_it() -> None:
    people, cars = improver().improved({3: (MODEL, PEOPLE), 8: (MODEL, CARS)}, 1)
    assert (people.label, people.videos) == (3, 16)
    assert (cars.label, cars.videos) == (8, 2)
    assert (people.weights["detector.fc1.weight"] != MODEL["detector.fc1.weight"]).any()
    assert "16 public videos" in people.text


def test_a_cluster_that_no_video_is_like_keeps_its_model_and_that_is_said() -> None:
    only_people = Improver(SPEC, BRIEF, a_set(), captions=True, seed=0)
    (done,) = only_people.improved({5: (MODEL, CARS)}, 1)
    assert done.weights is MODEL
    assert "no public video" in done.text
    assert done.as_json() == {"label": 5, "videos": 0, "distance": None, "loss": None}


def test_one_teacher_for_a_selection_in_all_rounds_and_clusters() -> None:
    memory = Counting()
    taught = improver(memory)
    for number in (1, 2):
        list(taught.improved({1: (MODEL, PEOPLE), 2: (MODEL, PEOPLE), 3: (MODEL, CARS)}, number))
    assert sorted(memory.kept.values()) == [1, 1]


def test_rounds_and_clusters_draw_differently_and_repeat_alike() -> None:
    one = improver().improved({1: (MODEL, None)}, 1)
    again = improver().improved({1: (MODEL, None)}, 1)
    later = improver().improved({1: (MODEL, None)}, 2)
    first, same, other = (next(each).weights["detector.fc1.weight"] for each in (one, again, later))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_the_simulation_s_distiller_gives_the_same_models_by_label() -> None:
    public = a_set()
    distiller = Distiller(SPEC, BRIEF, public, captions=True, seed=0)
    after = distiller.improve({4: (MODEL, PEOPLE), 7: (MODEL, CARS)}, 2)
    expected = Improver(SPEC, BRIEF, public, captions=True, seed=0)
    for done in expected.improved({4: (MODEL, PEOPLE), 7: (MODEL, CARS)}, 2):
        for name, array in done.weights.items():
            np.testing.assert_array_equal(after[done.label][name], array)


def test_what_a_teacher_said_is_found_again_in_a_folder(tmp_path) -> None:
    memory = InFolder(tmp_path)
    taught = next(improver(memory).improved({1: (MODEL, None)}, 1))
    (path,) = tmp_path.glob("*.safetensors")
    known = memory.find(path.stem)
    assert known is not None
    assert [len(z) for z in known.z] == [24] * 18
    again = next(improver(InFolder(tmp_path)).improved({1: (MODEL, None)}, 1))
    np.testing.assert_array_equal(
        taught.weights["detector.fc1.weight"], again.weights["detector.fc1.weight"]
    )


def test_a_damaged_file_is_passed_over_and_old_ones_go(tmp_path) -> None:
    memory = InFolder(tmp_path, most=2)
    known = InMemory()
    next(improver(known).improved({1: (MODEL, None)}, 1))
    (knowledge,) = known._known.values()
    for name in ("a", "b", "c"):
        memory.keep(name, knowledge)
    assert memory.find("a") is None
    (tmp_path / "b.safetensors").write_bytes(b"nonsense")
    assert memory.find("b") is None
    assert memory.find("c") is not None


@pytest.mark.parametrize("captions", [True, False])
def test_a_teacher_is_another_where_anything_it_reads_is(captions) -> None:
    def of(videos, options=QUICK_TEACHER, captions=captions, seed=0):
        return fingerprint_of(videos, options, captions=captions, seed=seed)

    videos = some(2, 2)
    seen = replace(videos[0], visual=videos[0].visual + 1)
    told = replace(videos[0], text=videos[0].text + 1)
    relabelled = replace(videos[0], abnormal=True)
    assert of(videos) == of(some(2, 2))
    assert of(videos) != of((seen, *videos[1:]))
    assert of(videos) != of((relabelled, *videos[1:]))
    assert of(videos) != of(videos, seed=1)
    assert of(videos) != of(videos, captions=not captions)
    assert (of(videos) != of((told, *videos[1:]))) is captions
