from dataclasses import replace

import numpy as np
import pytest

from edge.errors import TrainingError
from edge.model.spec import StudentSpec
from edge.model.student import make_student, weights_of
from edge.training.adaptive_aggregation import learn_mixing
from edge.training.fit import train_locally
from edge.training.lessons import ClapLesson, DensityLesson
from edge.training.plan import LocalPlan, mixed

UPPER = ("detector.fc3.weight", "detector.fc3.bias")
SPEC = StudentSpec(head="clap", inputs=4, hidden=8, dropout=0.0)
PLAN = LocalPlan(batch_rows=32, mixed=UPPER)
START = weights_of(make_student(SPEC, seed=0))


def lesson(sign: float = 1.0) -> ClapLesson:
    random = np.random.default_rng(0)
    rows = random.normal(size=(200, 4)).astype(np.float32)
    return ClapLesson([rows], [(sign * rows[:, 0] > 0).astype(np.float32)])


def head_of(taught: ClapLesson) -> dict[str, np.ndarray]:
    plan = LocalPlan(optimiser="adam", learning_rate=0.05, epochs=20, batch_rows=32)
    held = replace(plan, keep_local=UPPER, local_epochs=20, epochs=1, learning_rate=0.05)
    weights = train_locally(SPEC, START, taught, held, seed=0).weights
    return {name: weights[name] for name in UPPER}


GOOD, BAD = head_of(lesson()), head_of(lesson(-1.0))


def learnt(own, shared, *, mixing=None, plan=PLAN, seed=0, should_stop=lambda: False):
    return learn_mixing(
        SPEC,
        {**START, **shared},
        own,
        mixing or {},
        lesson(),
        plan,
        seed=seed,
        should_stop=should_stop,
    )


def loss(upper) -> float:
    """Of the lesson, without a step of training."""
    still = LocalPlan(learning_rate=1e-12, batch_rows=1000)
    return train_locally(SPEC, {**START, **upper}, lesson(), still, seed=0).loss


def test_of_two_models_the_better_one_is_taken():
    assert learnt(own=BAD, shared=GOOD)[UPPER[0]].mean() > 0.9
    kept = mixed({**START, **BAD}, GOOD, learnt(own=GOOD, shared=BAD))
    assert loss(kept) < 0.5 * loss(BAD)


@pytest.mark.parametrize(("own", "shared"), [(GOOD, BAD), (BAD, GOOD)])
def test_the_mixture_is_no_worse_than_what_was_published(own, shared):
    mixing = learnt(own, shared)
    between = mixed({**START, **shared}, own, mixing)
    assert loss(between) <= loss(shared) + 1e-3
    assert all(((weight >= 0) & (weight <= 1)).all() for weight in mixing.values())


def test_where_both_are_equal_nothing_is_learnt():
    assert all((weight == 1).all() for weight in learnt(GOOD, GOOD).values())


def test_the_first_time_it_goes_on_until_it_stands_still():
    ones = {name: np.ones_like(array) for name, array in GOOD.items()}
    slow = replace(PLAN, mixing_rate=0.3)
    thorough = learnt(GOOD, BAD, plan=slow)
    once = learnt(GOOD, BAD, mixing=ones, plan=slow)
    assert (thorough[UPPER[0]] < 1).any()
    assert (1 - thorough[UPPER[0]]).sum() > 1.5 * (1 - once[UPPER[0]]).sum()


def test_it_is_deterministic_for_a_seed_and_learns_on_a_share():
    few = replace(PLAN, mixing_share=0.1, mixing_rate=0.3)
    ones = {name: np.ones_like(array) for name, array in GOOD.items()}
    one, again, other = (learnt(GOOD, BAD, mixing=ones, plan=few, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one[UPPER[0]], again[UPPER[0]])
    assert not np.array_equal(one[UPPER[0]], other[UPPER[0]])


def test_a_density_is_mixed_too():
    spec = StudentSpec(head="density", inputs=3, hidden=8)
    own, shared = (weights_of(make_student(spec, seed=seed)) for seed in (0, 1))
    rows = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    upper = {name: own[name] for name in ("fc4.weight", "fc4.bias")}
    mixing = learn_mixing(
        spec,
        shared,
        upper,
        {},
        DensityLesson(rows),
        PLAN,
        seed=0,
        should_stop=lambda: False,
    )
    assert mixing.keys() == upper.keys()
    assert (mixing["fc4.bias"] == 1).all()  # no part of a slope


def test_it_can_be_stopped():
    with pytest.raises(TrainingError, match="stopped"):
        learnt(GOOD, BAD, should_stop=lambda: True)
