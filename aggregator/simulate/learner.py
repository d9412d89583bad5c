"""A participant in a simulation: the training code of a host on footage in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from aggregator.simulate.problem import Participant, Problem
from aggregator.simulate.recipes import Recipe
from aggregator.strategies.port import LocalRule
from aggregator.strategies.scaffold import CONTROL
from edge.domain.weights import Weights, WeightUpdate
from edge.training.fit import Trained, train_locally
from edge.training.plan import LocalPlan, new_control
from edge.training.pseudo_labels import KNOWN_ANOMALOUS, KNOWN_NORMAL, UNKNOWN
from edge.training.teaching import NormalTeacher, PseudoLabels, Teacher

Delta: TypeAlias = dict[str, npt.NDArray[np.float32]]
NO_RULE = LocalRule()
SAID = {None: UNKNOWN, False: KNOWN_NORMAL, True: KNOWN_ANOMALOUS}


class Learner:
    """Trains round by round and remembers what stays with it."""

    def __init__(
        self, participant: Participant, problem: Problem, recipe: Recipe, *, seed: int, index: int
    ) -> None:
        """``index`` sets this participant's chance apart from the others' of the same seed."""
        self.name = participant.name
        self.spec = recipe.spec(problem.head, problem.width)
        self._plan = recipe.plan
        self._seed = (seed, index)
        self._kept: Weights = {}  # personal weights
        self._control: Delta | None = None  # SCAFFOLD's c_k
        self.teacher = _teacher(participant, problem, recipe, seed)

    def model(self, published: Weights) -> Weights:
        """The round's model with what is this participant's own."""
        return {**published, **self._kept} if self._kept else published

    def train(self, published: Weights, number: int, rule: LocalRule = NO_RULE) -> WeightUpdate:
        """One round of local training from what the aggregator published."""
        shared = {name: a for name, a in published.items() if not name.startswith(CONTROL)}
        start = self.model(shared)
        correction = self._correction(published, shared) if rule.control_variates else None
        plan = replace(
            self._plan,
            proximal=rule.proximal,
            keep_local=rule.keep_local,
            local_epochs=rule.local_epochs,
        )
        trained = self._trained(start, plan, number, correction)
        self.teacher.review(self.spec, trained.weights)
        self._kept = {n: a for n, a in trained.weights.items() if not rule.shares(n)}
        delta = {n: a - start[n] for n, a in trained.weights.items() if rule.shares(n)}
        if correction is not None:
            delta |= self._drift(correction, start, trained.weights, trained.steps)
        return WeightUpdate(self.name, number, trained.num_examples, delta)

    def personalised(self, published: Weights, number: int) -> Weights:
        """The round's model after one more local epoch, as a host uses it; nothing is kept."""
        plan = replace(self._plan, epochs=1, decay="cosine")
        return self._trained(self.model(published), plan, number, None).weights

    def _trained(
        self, start: Weights, plan: LocalPlan, number: int, correction: Weights | None
    ) -> Trained:
        seed = int(np.random.SeedSequence([*self._seed, number]).generate_state(1)[0])
        lesson = self.teacher.lesson()
        return train_locally(self.spec, start, lesson, plan, seed=seed, correction=correction)

    def _correction(self, published: Weights, shared: Weights) -> Delta:
        """SCAFFOLD's c - c_k."""
        if self._control is None:
            self._control = {name: np.zeros_like(array) for name, array in shared.items()}
        return {name: published[CONTROL + name] - own for name, own in self._control.items()}

    def _drift(self, correction: Weights, start: Weights, trained: Weights, steps: int) -> Delta:
        """The change of c_k, under the names that an update has for it."""
        before, rate = self._control or {}, self._plan.learning_rate
        after = new_control(correction, start, trained, steps=steps, learning_rate=rate)
        self._control = after
        return {CONTROL + name: array - before[name] for name, array in after.items()}


def _teacher(participant: Participant, problem: Problem, recipe: Recipe, seed: int) -> Teacher:
    videos = [video.values for video in participant.videos]
    if problem.head == "density":
        return NormalTeacher(np.concatenate(videos))
    known = np.array([SAID[video.abnormal] for video in participant.videos], np.int8)
    return PseudoLabels(videos, recipe.labels, known=known, seed=seed)
