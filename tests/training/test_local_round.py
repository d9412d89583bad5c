from dataclasses import replace

import numpy as np
import pytest

from edge.errors import TrainingError
from edge.model.spec import StudentSpec
from edge.model.student import make_student, weights_of
from edge.training.fit import train_locally
from edge.training.lessons import DensityLesson
from edge.training.local_round import CONTROL, MIXING, Own, local_round, starting_point
from edge.training.plan import LocalPlan

SPEC = StudentSpec(head="density", inputs=3, hidden=8)
MODEL = weights_of(make_student(SPEC, seed=0))
LESSON = DensityLesson(np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32))
PLAN = LocalPlan(epochs=2, batch_rows=16)
NORMS = replace(PLAN, keep_local=("norm*",))


def trained(start=MODEL, plan=PLAN, **options):
    return train_locally(SPEC, start, LESSON, plan, seed=1, **options).weights


def test_what_leaves_is_what_training_changed():
    done = local_round(SPEC, MODEL, LESSON, PLAN, Own(), seed=1)
    assert done.delta.keys() == MODEL.keys()
    for name, after in trained().items():
        np.testing.assert_array_equal(done.delta[name], after - MODEL[name])
    assert (done.own.weights, done.own.control) == ({}, {})


def test_what_the_plan_keeps_stays_and_is_where_the_next_round_starts():
    first = local_round(SPEC, MODEL, LESSON, NORMS, Own(), seed=1)
    kept = {name for name in MODEL if name.startswith("norm")}
    assert kept
    assert first.own.weights.keys() == kept
    assert first.delta.keys() == MODEL.keys() - kept
    second = local_round(SPEC, MODEL, LESSON, NORMS, first.own, seed=1)
    expected = trained({**MODEL, **first.own.weights}, NORMS)
    for name in kept:
        np.testing.assert_array_equal(second.own.weights[name], expected[name])


def test_what_another_strategy_or_network_left_is_passed_over():
    name = next(name for name in MODEL if name.startswith("norm"))
    left = {name: np.full_like(MODEL[name], 9), "elsewhere": np.zeros(1, np.float32)}
    for plan, own in ((PLAN, left), (NORMS, {name: np.zeros(99, np.float32)})):
        start = starting_point(MODEL, own, plan)
        assert start.keys() == MODEL.keys()
        assert all(start[each] is MODEL[each] for each in MODEL)


UPPER = replace(PLAN, mixed=("fc4.*",))


def test_upper_layers_begin_between_the_own_and_the_published_and_leave_as_all_others():
    first = local_round(SPEC, MODEL, LESSON, UPPER, Own(), seed=1)
    assert first.own.weights.keys() == {"fc4.weight", "fc4.bias"}
    for name, after in trained().items():  # nothing to mix yet
        np.testing.assert_array_equal(first.delta[name], after - MODEL[name])
    published = {name: array + np.float32(0.1) for name, array in MODEL.items()}
    second = local_round(SPEC, published, LESSON, UPPER, first.own, seed=1)
    mixing = second.own.weights[MIXING + "fc4.weight"]
    former = first.own.weights["fc4.weight"]
    between = former + (published["fc4.weight"] - former) * mixing
    start = {**published, "fc4.weight": between}
    for name, after in trained(start, UPPER).items():
        if name != "fc4.bias":
            np.testing.assert_allclose(second.delta[name], after - published[name], atol=1e-6)
    following = starting_point(MODEL, second.own.weights, UPPER)
    own = second.own.weights["fc4.weight"]
    expected = own + (MODEL["fc4.weight"] - own) * mixing
    np.testing.assert_allclose(following["fc4.weight"], expected, atol=1e-6)
    assert starting_point(MODEL, second.own.weights, PLAN).keys() == MODEL.keys()


def test_the_control_variate_follows_the_paper():
    zero = {CONTROL + name: np.zeros_like(array) for name, array in MODEL.items()}
    first = local_round(SPEC, {**MODEL, **zero}, LESSON, PLAN, Own(), seed=1, control_variates=True)
    pace = first.trained.steps * PLAN.learning_rate
    for name in MODEL:
        drift = -first.delta[name] / pace
        np.testing.assert_allclose(first.own.control[name], drift, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(first.delta[CONTROL + name], first.own.control[name])
    second = local_round(
        SPEC, {**MODEL, **zero}, LESSON, PLAN, first.own, seed=1, control_variates=True
    )
    against = {name: -array for name, array in first.own.control.items()}
    for name, after in trained(correction=against).items():
        np.testing.assert_array_equal(second.delta[name], after - MODEL[name])


def test_without_control_variates_they_stay_as_they_are():
    own = Own(control=MODEL)
    assert local_round(SPEC, MODEL, LESSON, PLAN, own, seed=1).own.control is MODEL


def test_a_training_that_was_stopped_is_no_part_of_a_round():
    with pytest.raises(TrainingError, match="stopped"):
        local_round(SPEC, MODEL, LESSON, PLAN, Own(), seed=1, should_stop=lambda: True)
