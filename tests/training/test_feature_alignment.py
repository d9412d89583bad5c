from dataclasses import replace

import numpy as np
import pytest
import torch

from edge.errors import TrainingError
from edge.model.spec import PENULTIMATE, StudentSpec
from edge.model.student import load_weights, make_student, weights_of
from edge.training.feature_alignment import (
    CENTROIDS,
    COUNTS,
    FEATURES,
    KNOWN,
    MOMENTS,
    SPREAD,
    Alignment,
    centroids,
    statistics,
)
from edge.training.lessons import ClapLesson, DensityLesson
from edge.training.local_round import Own, local_round
from edge.training.plan import LocalPlan

SPEC = StudentSpec(head="clap", inputs=4, hidden=8, dropout=0.5)
START = weights_of(make_student(SPEC, seed=0))
HEAD = ("detector.fc3.*",)
PLAN = LocalPlan(batch_rows=32, learning_rate=0.1, head=HEAD, local_epochs=1, alignment=5.0)
ROWS = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
LESSON = ClapLesson([ROWS[:40], ROWS[40:]], [np.zeros(40, np.float32), np.ones(20, np.float32)])


def features(weights=START) -> np.ndarray:
    student = make_student(SPEC, seed=0)
    load_weights(student, weights)
    with torch.inference_mode():
        return student.eval()(torch.from_numpy(ROWS)[None])[1][0].numpy().astype(float)


def test_statistics_are_those_of_the_paper():
    told, f = statistics(SPEC, START, LESSON), features()
    moments = np.stack([f[:40].sum(0) / 60, f[40:].sum(0) / 60])
    np.testing.assert_array_equal(told[COUNTS], [40, 20])
    np.testing.assert_allclose(told[MOMENTS], moments, rtol=1e-5, atol=1e-6)
    spread = (np.square(f).sum() / 60 - np.square(moments).sum()) / 60
    np.testing.assert_allclose(told[SPREAD], [spread], rtol=1e-4)


def test_centroids_are_means_of_each_class_and_zero_of_an_empty_one():
    found, f = centroids(SPEC, START, LESSON)[CENTROIDS], features()
    np.testing.assert_allclose(found, [f[:40].mean(0), f[40:].mean(0)], rtol=1e-5, atol=1e-6)
    normal = centroids(SPEC, START, ClapLesson([ROWS], [np.zeros(60, np.float32)]))[CENTROIDS]
    assert normal[0].any()
    assert not normal[1].any()


def test_padding_counts_nowhere():
    spec = StudentSpec(head="temporal", inputs=4, hidden=8, window=7, attention_heads=2)
    weights = weights_of(make_student(spec, seed=0))
    assert statistics(spec, weights, LESSON)[COUNTS].tolist() == [40, 20]


def test_the_loss_is_the_distance_to_the_centroid_of_the_own_class_where_it_is_known():
    place = np.stack([np.full(PENULTIMATE, 1.0), np.full(PENULTIMATE, 5.0)]).astype(np.float32)
    target, counted = torch.tensor([[0.0, 1, 0]]), torch.tensor([[1.0, 1, 0]])
    at_zero = torch.zeros(1, 3, PENULTIMATE)
    both = Alignment({CENTROIDS: place, KNOWN: np.ones(2, np.float32)}, 2.0)
    assert float(both.loss(at_zero, target, counted)) == pytest.approx(2 * (1 + 25) / 2)
    normal = Alignment({CENTROIDS: place, KNOWN: np.float32([1, 0])}, 2.0)
    assert float(normal.loss(at_zero, target, counted)) == pytest.approx(2 * 1 / 2)
    assert float(Alignment({}, 2.0).loss(at_zero, target, counted)) == 0


def published(offset: float) -> dict[str, np.ndarray]:
    told = centroids(SPEC, START, LESSON)[CENTROIDS]
    return {**START, CENTROIDS: told + np.float32(offset), KNOWN: np.ones(2, np.float32)}


def distance(done, to: np.ndarray) -> float:
    return float(np.linalg.norm(done.delta[CENTROIDS] - to))


def test_features_are_drawn_to_everybodys():
    far = published(1.0)
    drawn = local_round(SPEC, far, LESSON, PLAN, Own(), seed=1)
    weak = replace(PLAN, alignment=1e-9)
    free = local_round(SPEC, far, LESSON, weak, Own(), seed=1)
    assert distance(drawn, far[CENTROIDS]) < distance(free, far[CENTROIDS])


def test_head_and_body_leave_with_features_of_before_and_after():
    done = local_round(SPEC, published(0), LESSON, PLAN, Own(), seed=1)
    told = {CENTROIDS, COUNTS, MOMENTS, SPREAD}
    assert done.delta.keys() == START.keys() | told
    assert all(name.startswith(FEATURES) for name in told)
    before, after = statistics(SPEC, START, LESSON), centroids(SPEC, done.trained.weights, LESSON)
    np.testing.assert_array_equal(done.delta[MOMENTS], before[MOMENTS])
    np.testing.assert_array_equal(done.delta[CENTROIDS], after[CENTROIDS])
    assert done.own.weights == {}


def test_first_the_head_then_the_body():
    head = [name for name in START if name.startswith("detector.fc3")]
    assert all(PLAN.learns(name, 0) and not PLAN.learns(name, 1) for name in head)
    assert not PLAN.learns("detector.fc1.weight", 0)
    assert PLAN.learns("detector.fc1.weight", 1)
    assert PLAN.shared(START) == list(START)


def test_a_density_has_one_class():
    spec = StudentSpec(head="density", inputs=4, hidden=8)
    model = weights_of(make_student(spec, seed=0))
    plan = replace(PLAN, head=("fc4.*",))
    done = local_round(spec, model, DensityLesson(ROWS), plan, Own(), seed=1)
    assert done.delta[COUNTS].tolist() == [60, 0]
    assert not done.delta[MOMENTS][1].any()


@pytest.mark.parametrize("wrong", [{"alignment": -1}, {"local_epochs": 1, "head": ()}])
def test_a_plan_that_cannot_be_carried_out_is_refused(wrong):
    with pytest.raises(TrainingError, match="plan:"):
        replace(PLAN, **wrong)
