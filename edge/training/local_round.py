"""One participant's part of one round under any strategy: where it starts, and what leaves.

Pure: what stays with the participant comes in and goes out, and whoever calls keeps it. FedBN and
FedRep leave weights at home; SCAFFOLD (Karimireddy et al. 2020) a control variate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edge.domain.weights import Weights, shapes_of
from edge.errors import TrainingError
from edge.model.spec import StudentSpec
from edge.training.fit import Trained, train_locally
from edge.training.lessons import Lesson
from edge.training.plan import LocalPlan, new_control

CONTROL = "control/"
"""Before the names of SCAFFOLD's control variates, in the published model and in updates."""

Delta: TypeAlias = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """What stays with a participant from one round to the next; empty before its first."""

    weights: Weights = field(default_factory=dict)  # that the plan keeps local
    control: Weights = field(default_factory=dict)  # SCAFFOLD's c_k; empty: zero


@dataclass(frozen=True, slots=True, eq=False)
class LocalRound:
    """A round's local training."""

    delta: Weights  # what leaves: of the shared weights, and ``control/<name>`` under SCAFFOLD
    own: Own  # what stays, for the next round
    trained: Trained


def without_control(published: Weights) -> Delta:
    """The weights alone of what the aggregator published."""
    return {name: array for name, array in published.items() if not name.startswith(CONTROL)}


def starting_point(shared: Weights, own: Weights, plan: LocalPlan) -> Delta:
    """The round's model with what is the participant's own, as far as the plan and shapes allow."""
    shapes = {name: shape for name, shape in shapes_of(shared).items() if plan.is_local(name)}
    fitting = {name: array for name, array in own.items() if shapes.get(name) == array.shape}
    return {**shared, **fitting}


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

    With ``control_variates`` the published model holds ``control/<name>`` for every weight. An
    ``own`` that was left by another network or strategy is passed over.

    Raises TrainingError where training fails or ``should_stop`` ended it, ModelError where the
    published weights do not fit the student.
    """
    shared = without_control(published)
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
        should_stop=should_stop,
    )
    if not trained.complete:
        raise TrainingError("training was stopped before its end")
    delta = {name: trained.weights[name] - start[name] for name in plan.shared(shared)}
    kept = {name: array for name, array in trained.weights.items() if plan.is_local(name)}
    if not correction:
        return LocalRound(delta, Own(kept, own.control), trained)
    rate = plan.learning_rate
    after = new_control(correction, start, trained.weights, steps=trained.steps, learning_rate=rate)
    delta |= {CONTROL + name: array - before[name] for name, array in after.items()}
    return LocalRound(delta, Own(kept, after), trained)


def _control(shared: Weights, own: Own) -> Weights:
    """SCAFFOLD's c_k; zero before the first round."""
    if shapes_of(own.control) == shapes_of(shared):
        return own.control
    return {name: np.zeros_like(array) for name, array in shared.items()}
