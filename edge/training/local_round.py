"""One participant's part of one round under any strategy: where it starts, and what leaves.

Pure: what stays with the participant comes in and goes out, and whoever calls keeps it. FedBN and
FedRep leave weights at home; SCAFFOLD (Karimireddy et al. 2020) a control variate; FedALA (Zhang et
al. 2023) the upper layers that a host came to, and how far it takes over those of everybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.weights import Weights, shapes_of
from edge.errors import TrainingError
from edge.model.spec import StudentSpec
from edge.training.adaptive_aggregation import learn_mixing
from edge.training.feature_alignment import FEATURES, centroids, statistics
from edge.training.fit import Trained, train_locally
from edge.training.lessons import Lesson
from edge.training.plan import LocalPlan, mixed, new_control

CONTROL = "control/"
"""Before the names of SCAFFOLD's control variates, in the published model and in updates."""

MIXING = "mixing/"
"""Before the names of FedALA's W, among what is a participant's own."""

Delta: TypeAlias = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """What stays with a participant from one round to the next; empty before its first."""

    weights: Weights = field(default_factory=dict)  # that the plan keeps local or mixes, and W
    control: Weights = field(default_factory=dict)  # SCAFFOLD's c_k; empty: zero


@dataclass(frozen=True, slots=True, eq=False)
class LocalRound:
    """A round's local training."""

    delta: Weights  # what leaves: of the shared weights, and ``control/<name>`` under SCAFFOLD
    own: Own  # what stays, for the next round
    trained: Trained


def weights_alone(published: Weights) -> Weights:
    """What the aggregator published, without what a strategy tells beside the weights."""
    alone = {n: a for n, a in published.items() if not n.startswith((CONTROL, FEATURES))}
    return alone if len(alone) < len(published) else published


def starting_point(shared: Weights, own: Weights, plan: LocalPlan) -> Delta:
    """The round's model with what is the participant's own, as far as the plan and shapes allow."""
    shapes = {name: shape for name, shape in shapes_of(shared).items() if plan.is_local(name)}
    fitting = {name: array for name, array in own.items() if shapes.get(name) == array.shape}
    former, mixing = _mixing(shared, own, plan)
    return {**mixed(shared, former, mixing), **fitting}


def local_round(
    spec: StudentSpec,
    published: Weights,
    lesson: Lesson,
    plan: LocalPlan,
    own: Own,
    *,
    seed: int,
    control_variates: bool = False,
    should_stop: Callable[[], bool] | None = None,
) -> LocalRound:
    """Train from what the aggregator ``published``; deterministic for a seed.

    With ``control_variates`` the published model holds ``control/<name>`` for every weight; where
    the plan aligns features it may hold ``features/...``, and the update does. An ``own`` that was
    left by another network or strategy is passed over.

    Raises TrainingError where training fails or ``should_stop`` ended it, ModelError where the
    published weights do not fit the student.
    """
    shared = weights_alone(published)
    own = _adapted(spec, shared, lesson, plan, own, seed=seed, should_stop=should_stop or _never)
    start = starting_point(shared, own.weights, plan)
    before = _control(shared, own) if control_variates else {}
    correction = {name: published[CONTROL + name] - array for name, array in before.items()}
    trained = train_locally(
        spec,
        start,
        lesson,
        plan,
        seed=seed,
        correction=correction or None,
        centroids={name: a for name, a in published.items() if name.startswith(FEATURES)},
        should_stop=should_stop,
    )
    if not trained.complete:
        raise TrainingError("training was stopped before its end")
    delta = {name: trained.weights[name] - shared[name] for name in plan.shared(shared)}
    if plan.alignment:
        delta |= statistics(spec, start, lesson) | centroids(spec, trained.weights, lesson)
    kept = _kept(trained.weights, own, plan)
    if not correction:
        return LocalRound(delta, Own(kept, own.control), trained)
    rate = plan.learning_rate
    after = new_control(correction, start, trained.weights, steps=trained.steps, learning_rate=rate)
    delta |= {CONTROL + name: array - before[name] for name, array in after.items()}
    return LocalRound(delta, Own(kept, after), trained)


def _adapted(
    spec: StudentSpec,
    shared: Weights,
    lesson: Lesson,
    plan: LocalPlan,
    own: Own,
    *,
    seed: int,
    should_stop: Callable[[], bool],
) -> Own:
    """With W as of this round; before there is anything to mix, as it was."""
    former, mixing = _mixing(shared, own.weights, plan)
    if not former:
        return own
    learnt = learn_mixing(
        spec, shared, former, mixing, lesson, plan, seed=seed, should_stop=should_stop
    )
    weights = {**own.weights, **{MIXING + name: array for name, array in learnt.items()}}
    return replace(own, weights=weights)


def _mixing(shared: Weights, own: Weights, plan: LocalPlan) -> tuple[Weights, Weights]:
    """What the participant came to of the mixed weights, and W; either may be empty."""
    shapes = {name: shape for name, shape in shapes_of(shared).items() if plan.is_mixed(name)}
    former = {n: own[n] for n, shape in shapes.items() if n in own and own[n].shape == shape}
    learnt = {n: own[MIXING + n] for n in former if MIXING + n in own}
    return former, learnt if shapes_of(learnt) == shapes_of(former) else {}


def _kept(trained: Weights, own: Own, plan: LocalPlan) -> Weights:
    """What the plan keeps local or mixes, and W."""
    kept = {n: array for n, array in trained.items() if plan.is_local(n) or plan.is_mixed(n)}
    mixing = {n: array for n, array in own.weights.items() if n.startswith(MIXING)}
    return {**kept, **mixing} if plan.mixed else kept


def _never() -> bool:
    return False


def _control(shared: Weights, own: Own) -> Weights:
    """SCAFFOLD's c_k; zero before the first round."""
    if shapes_of(own.control) == shapes_of(shared):
        return own.control
    return {name: np.zeros_like(array) for name, array in shared.items()}
