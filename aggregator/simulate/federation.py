"""Learners, a channel and the aggregator's strategy: a federation in one process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from aggregator.simulate.channel import Channel
from aggregator.simulate.learner import Learner
from aggregator.strategies.port import NO_STATE, Cluster, Step, Strategy
from edge.domain.weights import Shares, Weights, WeightUpdate
from edge.errors import TrainingError
from edge.training.local_round import weights_alone

EVERYBODY = 0
"""The label of the one model of a federation without clusters."""


class Improver(Protocol):
    """Makes a round's models better with what the aggregator knows."""

    def improve(
        self, clusters: Mapping[int, tuple[Weights, Shares | None]], round_number: int
    ) -> Mapping[int, Weights]:
        """New models by label, from the models and what their members see."""
        ...


class Federation:
    """Publish, train, send, combine, improve."""

    def __init__(
        self,
        learners: Sequence[Learner],
        model: Weights,
        strategy: Strategy,
        channel: Channel,
        *,
        tuned: bool,
        improver: Improver | None = None,
    ) -> None:
        self._tuned = tuned
        self._round = 0
        self._learners, self._strategy, self._channel = learners, strategy, channel
        self._improver = improver
        self._step = Step(model, NO_STATE)
        told = [learner.teacher.statistics() for learner in learners]
        self._mixture = [component for component in told if component is not None]
        for learner in learners:
            learner.teacher.hear(self._mixture)

    def admit(self, learner: Learner) -> None:
        """Take in somebody who comes later: beside those who see the same, where it says what."""
        learner.teacher.hear(self._mixture)
        self._learners = [*self._learners, learner]
        objects = self._channel.released(learner.name, learner.objects)
        step = self._step
        state = self._strategy.place(step.model, step.state, {learner.name: objects})
        self._step = replace(step, state=state)

    def round(self, number: int) -> tuple[float, tuple[str, ...]]:
        """One round; one in which nothing was accepted changes nothing."""
        self._round = number
        step, strategy = self._step, self._strategy
        aggregation = strategy.begin(step.model, step.state)
        bytes_up, accepted = 0, 0
        refused: list[str] = []
        updates = self._trained(number, refused)
        for arrived in self._channel.deliver(updates, strategy.expects(step.model)):
            bytes_up += arrived.bytes_up
            if arrived.update is None:
                refused.append(arrived.refused)
            else:
                aggregation.add(arrived.update)
                accepted += 1
        if accepted:
            self._step = self._improved(aggregation.finish())
        return bytes_up / len(self._learners), tuple(refused)

    def models(self) -> Mapping[str, Weights]:
        """By participant: its cluster's model or the federation's, with what stays with it."""
        given = self._given(self._step.model)
        if self._tuned:
            return {
                each.name: each.personalised(given[each.name], self._round)
                for each in self._learners
            }
        return {each.name: each.model(given[each.name]) for each in self._learners}

    def clusters(self) -> tuple[Cluster, ...]:
        """Who shares a model; none in most strategies."""
        return self._strategy.clusters(self._step.model, self._step.state)

    def _given(self, otherwise: Weights) -> dict[str, Weights]:
        """The model of each participant's cluster, or ``otherwise``."""
        given = dict.fromkeys((each.name for each in self._learners), otherwise)
        for cluster in self.clusters():
            given |= dict.fromkeys(cluster.members, cluster.model)
        return given

    def _trained(self, number: int, absent: list[str]) -> Iterator[WeightUpdate]:
        """Everybody's update; whose training fails takes no part, as in a real round."""
        published = self._strategy.published(self._step.model, self._step.state)
        given = self._given(published)
        for learner in self._learners:
            try:
                update = learner.train(given[learner.name], number, self._strategy.local)
            except TrainingError as error:
                absent.append(f"participant {learner.name} in round {number}: {error}")
            else:
                yield update

    def _improved(self, step: Step) -> Step:
        if self._improver is None:
            return step
        models: dict[int, tuple[Weights, Shares | None]] = {
            each.label: (weights_alone(each.model), each.objects)
            for each in self._strategy.clusters(step.model, step.state)
        }
        models = models or {EVERYBODY: (step.model, None)}
        return self._strategy.improved(step, self._improver.improve(models, self._round))
