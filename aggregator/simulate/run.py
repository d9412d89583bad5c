"""One run: a method on a problem with a seed, judged after every round.

*local*: everybody goes on alone. *centralised*: one learner has everybody's footage. Any other
method is a strategy's name: a federation with the aggregator's own strategy code. With ``+tuned``
after it every participant is judged by the round's model after one more local epoch, which is
how a host uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import torch

from aggregator.simulate.channel import Channel, Terms
from aggregator.simulate.learner import Learner
from aggregator.simulate.problem import Array, Figures, Problem, Scenario, pooled
from aggregator.simulate.recipes import Recipe
from aggregator.strategies.port import NO_STATE, Strategy
from aggregator.strategies.registry import make_strategy
from edge.domain.weights import Weights, WeightUpdate
from edge.errors import TrainingError
from edge.model.spec import StudentSpec
from edge.model.student import make_student, weights_of
from edge.training.fit import predict

LOCAL, CENTRALISED, SCAFFOLD, TUNED = "local", "centralised", "scaffold", "+tuned"
OnRound: TypeAlias = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Job:
    """One run to be done; plain values, so that it travels between processes."""

    method: str
    seed: int
    labelled_share: float
    recipe: Recipe
    terms: Terms


@dataclass(frozen=True, slots=True)
class Round:
    """What a round has come to."""

    figures: Figures
    bytes_up: float  # per participant, mean
    refused: tuple[str, ...]  # participants whose update was not taken, and why


@dataclass(frozen=True, slots=True)
class Run:
    """A job and all its rounds."""

    job: Job
    participants: int
    parameters: int  # of the student
    rounds: tuple[Round, ...]


class Company(Protocol):
    """Learners and how they come together."""

    def round(self, number: int) -> tuple[float, tuple[str, ...]]:
        """Train everybody once; returns mean bytes up and who was refused."""
        ...

    def models(self) -> Mapping[str, Weights]:
        """Everybody's model now."""
        ...


Federate: TypeAlias = Callable[[Job, Sequence[Learner], Weights], AbstractContextManager[Company]]
"""Brings learners together, from the model that they all begin with."""


def _nothing() -> None:
    """Nobody listens."""


def run_job(
    scenario: Scenario,
    job: Job,
    on_round: OnRound = _nothing,
    federate: Federate | None = None,
) -> Run:
    """Do all rounds of a job; deterministic, whatever else the machine does.

    ``federate`` brings the learners of a strategy together; by default here, without a network.
    """
    torch.set_num_threads(1)  # sums in another order are other sums
    problem = scenario.problem(seed=job.seed, labelled_share=job.labelled_share)
    spec = job.recipe.spec(problem.head, problem.width)
    model = weights_of(make_student(spec, seed=job.seed))
    score = _scorer(spec)
    rounds = []
    with _company(problem, job, model, federate or in_memory) as company:
        for number in range(1, job.recipe.rounds + 1):
            bytes_up, refused = company.round(number)
            figures = problem.bench.figures(company.models(), score)
            rounds.append(Round(figures, bytes_up, refused))
            on_round()
    parameters = sum(array.size for array in model.values())
    return Run(job, len(problem.participants), parameters, tuple(rounds))


class Alone:
    """Learners that never speak to each other; each stands for some participants."""

    def __init__(
        self, learners: Sequence[Learner], model: Weights, stands_for: Mapping[str, Learner]
    ) -> None:
        self._learners = learners
        self._stands_for = stands_for
        self._models = {learner.name: model for learner in learners}
        for learner in learners:
            own = learner.teacher.statistics()
            learner.teacher.hear([] if own is None else [own])

    def round(self, number: int) -> tuple[float, tuple[str, ...]]:
        """Everybody goes on from its own model; nothing leaves."""
        for learner in self._learners:
            before = self._models[learner.name]
            delta = learner.train(before, number).delta
            self._models[learner.name] = {n: a + delta[n] for n, a in before.items()}
        return 0.0, ()

    def models(self) -> Mapping[str, Weights]:
        """By participant."""
        return {name: self._models[learner.name] for name, learner in self._stands_for.items()}


class Federation:
    """Learners, a channel, and the aggregator's strategy."""

    def __init__(
        self,
        learners: Sequence[Learner],
        model: Weights,
        strategy: Strategy,
        channel: Channel,
        *,
        tuned: bool,
    ) -> None:
        self._tuned = tuned
        self._round = 0
        self._learners, self._strategy, self._channel = learners, strategy, channel
        self._model, self._state = model, NO_STATE
        told = [learner.teacher.statistics() for learner in learners]
        mixture = [component for component in told if component is not None]
        for learner in learners:
            learner.teacher.hear(mixture)

    def round(self, number: int) -> tuple[float, tuple[str, ...]]:
        """Publish, train, send, combine; a round in which nothing was accepted changes nothing."""
        self._round = number
        published = self._strategy.published(self._model, self._state)
        aggregation = self._strategy.begin(self._model, self._state)
        bytes_up, accepted = 0, 0
        refused: list[str] = []
        updates = self._trained(published, number, refused)
        for arrived in self._channel.deliver(updates, self._strategy.expects(self._model)):
            bytes_up += arrived.bytes_up
            if arrived.update is None:
                refused.append(arrived.refused)
            else:
                aggregation.add(arrived.update)
                accepted += 1
        if accepted:
            step = aggregation.finish()
            self._model, self._state = step.model, step.state
        return bytes_up / len(self._learners), tuple(refused)

    def _trained(
        self, published: Weights, number: int, absent: list[str]
    ) -> Iterator[WeightUpdate]:
        """Everybody's update; whose training fails takes no part, as in a real round."""
        for learner in self._learners:
            try:
                update = learner.train(published, number, self._strategy.local)
            except TrainingError as error:
                absent.append(f"participant {learner.name} in round {number}: {error}")
            else:
                yield update

    def models(self) -> Mapping[str, Weights]:
        """The round's model, with what stays at each participant."""
        if self._tuned:
            return {
                each.name: each.personalised(self._model, self._round) for each in self._learners
            }
        return {learner.name: learner.model(self._model) for learner in self._learners}


def recipe_of(job: Job) -> Recipe:
    """The job's recipe as its method needs it."""
    plain = job.method.removesuffix(TUNED) == SCAFFOLD
    return job.recipe.with_plain_descent() if plain else job.recipe


@contextmanager
def in_memory(job: Job, learners: Sequence[Learner], model: Weights) -> Iterator[Company]:
    """A federation in this process."""
    name = job.method.removesuffix(TUNED)
    strategy = make_strategy(name, **job.recipe.strategy.get(name, {}))
    channel = Channel(job.terms, strategy, [learner.name for learner in learners], job.seed)
    yield Federation(learners, model, strategy, channel, tuned=name != job.method)


def _company(
    problem: Problem, job: Job, model: Weights, federate: Federate
) -> AbstractContextManager[Company]:
    recipe = recipe_of(job)
    if job.method == CENTRALISED:
        everybody = pooled(problem.participants)
        learner = Learner(everybody, problem, recipe, seed=job.seed, index=0)
        stands_for = {each.name: learner for each in problem.participants}
        return nullcontext(Alone([learner], model, stands_for))
    learners = [
        Learner(each, problem, recipe, seed=job.seed, index=index)
        for index, each in enumerate(problem.participants)
    ]
    if job.method == LOCAL:
        return nullcontext(Alone(learners, model, {learner.name: learner for learner in learners}))
    return federate(job, learners, model)


def _scorer(spec: StudentSpec) -> Callable[[Weights, Array], Array]:
    def score(weights: Weights, values: Array) -> Array:
        return np.asarray(predict(spec, weights, values[None])[0], np.float32)

    return score
