"""One run: a method on a problem with a seed, judged after every round.

*local*: everybody goes on alone. *centralised*: one learner has everybody's footage. Any other
method is a strategy's name: a federation with the aggregator's own strategy code. With ``+ased``
after it the aggregator improves each round's models with public videos and what they say in words,
with ``+vd`` without the words. With ``+tuned`` every participant is judged by the round's model
after one more local epoch, which is how a host uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
import torch

from aggregator.simulate.channel import Channel, Terms
from aggregator.simulate.clusters import members_of, purity
from aggregator.simulate.distilling import Distiller
from aggregator.simulate.federation import Federation
from aggregator.simulate.learner import Learner
from aggregator.simulate.method import CENTRALISED, LOCAL, SCAFFOLD, Method
from aggregator.simulate.problem import Array, Figures, Problem, Scenario, Score, pooled
from aggregator.simulate.recipes import Recipe
from aggregator.strategies.port import Cluster, Strategy
from edge.domain.weights import Weights
from edge.model.spec import StudentSpec
from edge.model.student import make_student, weights_of
from edge.training.fit import predict

OnRound: TypeAlias = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Job:
    """One run to be done; plain values, so that it travels between processes."""

    method: str
    seed: int
    labelled_share: float
    recipe: Recipe
    terms: Terms
    judge_every: int = 1  # rounds; the last is always judged

    @property
    def asks(self) -> Method:
        """What its method's name asks for."""
        return Method.parse(self.method)


@dataclass(frozen=True, slots=True)
class Round:
    """What a round has come to, and what was sent since the one judged before it."""

    number: int
    figures: Figures
    bytes_up: float  # per participant, mean
    refused: tuple[str, ...]  # participants whose update was not taken, and why
    clusters: Mapping[int, tuple[str, ...]] = field(default_factory=dict)  # members by label


@dataclass(frozen=True, slots=True)
class Run:
    """A job and what its rounds came to."""

    job: Job
    participants: int
    parameters: int  # of the student
    rounds: tuple[Round, ...]  # that were judged

    @property
    def bytes_up_per_round(self) -> float:
        """Per participant, mean."""
        return sum(each.bytes_up for each in self.rounds) / self.rounds[-1].number


class Company(Protocol):
    """Learners and how they come together."""

    def round(self, number: int) -> tuple[float, tuple[str, ...]]:
        """Train everybody once; returns mean bytes up and who was refused."""
        ...

    def models(self) -> Mapping[str, Weights]:
        """Everybody's model now."""
        ...

    def clusters(self) -> tuple[Cluster, ...]:
        """Who shares a model now; none where all do, or nobody does."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Meeting:
    """What a federation begins with."""

    job: Job
    learners: Sequence[Learner]
    model: Weights  # that all begin with
    classes: tuple[str, ...]  # of the objects that they count
    improver: Distiller | None  # of each round's models

    @property
    def strategy(self) -> Strategy:
        """The aggregator's."""
        return self.job.asks.strategy(self.job.recipe.strategy, self.classes)


Federate: TypeAlias = Callable[[Meeting], AbstractContextManager[Company]]
"""Brings learners together."""


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
    improver = _improver(scenario, job, spec)
    rounds, sent, absent = [], 0.0, list[str]()
    with _company(problem, job, model, improver, federate or in_memory) as company:
        for number in range(1, job.recipe.rounds + 1):
            bytes_up, refused = company.round(number)
            sent += bytes_up
            absent += refused
            if number % job.judge_every == 0 or number == job.recipe.rounds:
                figures, clusters = _judged(company, problem, score)
                rounds.append(Round(number, figures, sent, tuple(absent), clusters))
                sent, absent = 0.0, []
            on_round()
    parameters = sum(array.size for array in model.values())
    return Run(job, len(problem.participants), parameters, tuple(rounds))


def _improver(scenario: Scenario, job: Job, spec: StudentSpec) -> Distiller | None:
    public = scenario.public() if job.asks.distilled else None
    if public is None:
        return None
    return Distiller(spec, job.recipe.ased, public, captions=job.asks.captions, seed=job.seed)


def _judged(
    company: Company, problem: Problem, score: Score
) -> tuple[Figures, dict[int, tuple[str, ...]]]:
    figures = dict(problem.bench.figures(company.models(), score))
    clusters = members_of(company.clusters())
    if clusters and problem.hidden_kinds:
        figures["purity"] = purity(clusters, problem.hidden_kinds)
    return figures, clusters


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

    def clusters(self) -> tuple[Cluster, ...]:
        """Nobody is together with anybody."""
        return ()


def recipe_of(job: Job) -> Recipe:
    """The job's recipe as its method needs it."""
    return job.recipe.with_plain_descent() if job.asks.name == SCAFFOLD else job.recipe


@contextmanager
def in_memory(meeting: Meeting) -> Iterator[Company]:
    """A federation in this process."""
    job, strategy = meeting.job, meeting.strategy
    names = [learner.name for learner in meeting.learners]
    yield Federation(
        meeting.learners,
        meeting.model,
        strategy,
        Channel(job.terms, strategy, names, job.seed),
        tuned=job.asks.tuned,
        improver=meeting.improver,
    )


def _company(
    problem: Problem,
    job: Job,
    model: Weights,
    improver: Distiller | None,
    federate: Federate,
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
    return federate(Meeting(job, learners, model, problem.classes, improver))


def _scorer(spec: StudentSpec) -> Score:
    def score(weights: Weights, values: Array) -> Array:
        return np.asarray(predict(spec, weights, values[None])[0], np.float32)

    return score
