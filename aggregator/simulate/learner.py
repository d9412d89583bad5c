"""A participant in a simulation: the training code of a host on footage in memory."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np

from aggregator.simulate.problem import Participant, Problem
from aggregator.simulate.recipes import Recipe
from aggregator.strategies.port import LocalRule
from edge.domain.weights import Weights, WeightUpdate
from edge.training.fit import train_locally
from edge.training.local_round import Own, local_round, starting_point, weights_alone
from edge.training.pseudo_labels import KNOWN_ANOMALOUS, KNOWN_NORMAL, UNKNOWN
from edge.training.teaching import NormalTeacher, PseudoLabels, Teacher

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
        self._plan = self._agreed = recipe.plan
        self._seed = (seed, index)
        self._own = Own()
        self.objects = participant.objects
        self.teacher = _teacher(participant, problem, recipe, seed)

    def model(self, published: Weights) -> Weights:
        """The round's model with what is this participant's own."""
        own = self._own.weights
        shared = weights_alone(published)
        return starting_point(shared, own, self._agreed) if own else shared

    def train(self, published: Weights, number: int, rule: LocalRule = NO_RULE) -> WeightUpdate:
        """One round of local training from what the aggregator published."""
        asked = asdict(rule)
        control_variates = asked.pop("control_variates")  # the others are fields of a plan
        self._agreed = replace(self._plan, **asked)
        done = local_round(
            self.spec,
            published,
            self.teacher.lesson(),
            self._agreed,
            self._own,
            seed=self._chance(number),
            control_variates=control_variates,
        )
        self.teacher.review(self.spec, done.trained.weights)
        self._own = done.own
        return WeightUpdate(self.name, number, done.trained.num_examples, done.delta, self.objects)

    def personalised(self, published: Weights, number: int) -> Weights:
        """The round's model after one more local epoch, as a host uses it; nothing is kept."""
        plan = replace(self._plan, epochs=1, decay="cosine")
        start, lesson = self.model(published), self.teacher.lesson()
        return train_locally(self.spec, start, lesson, plan, seed=self._chance(number)).weights

    def _chance(self, number: int) -> int:
        """The seed of a round."""
        return int(np.random.SeedSequence([*self._seed, number]).generate_state(1)[0])


def _teacher(participant: Participant, problem: Problem, recipe: Recipe, seed: int) -> Teacher:
    videos = [video.values for video in participant.videos]
    if problem.head == "density":
        return NormalTeacher(np.concatenate(videos))
    known = np.array([SAID[video.abnormal] for video in participant.videos], np.int8)
    return PseudoLabels(videos, recipe.labels, known=known, seed=seed)
