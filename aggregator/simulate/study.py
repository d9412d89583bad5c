"""A whole table: which scenario, which runs, and their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from tqdm import tqdm

from aggregator.simulate.backends import BACKENDS, Backend
from aggregator.simulate.channel import Terms
from aggregator.simulate.features import FeatureClips
from aggregator.simulate.poison import Poison
from aggregator.simulate.problem import Head, Scenario
from aggregator.simulate.recipes import (
    FEATURES_CLAP,
    FEATURES_DENSITY,
    TRACKS_CLAP,
    TRACKS_DENSITY,
    Recipe,
)
from aggregator.simulate.run import CENTRALISED, LOCAL, TUNED, Job, Run
from aggregator.simulate.site import find_mosquitto
from aggregator.simulate.splits import Owners, read_owners
from aggregator.simulate.table import Row, rows_of
from aggregator.simulate.tracks_normal import NormalTracks
from aggregator.simulate.tracks_weak import WeakTracks
from aggregator.strategies.registry import make_strategy
from aggregator.unmasking import check_combination
from edge.domain.weights import Weights
from edge.errors import ConfigError
from edge.federation.privacy_budget import noise_multiplier_for
from edge.model.student import make_student, weights_of

Dataset: TypeAlias = Literal["shanghaitech-tracks", "features"]
Setting: TypeAlias = Literal["normal", "unlabelled", "partial"]
Options: TypeAlias = Mapping[str, Mapping[str, Any]]

RECIPES: Mapping[tuple[Dataset, bool], Recipe] = {
    ("shanghaitech-tracks", True): TRACKS_DENSITY,
    ("shanghaitech-tracks", False): TRACKS_CLAP,
    ("features", True): FEATURES_DENSITY,
    ("features", False): FEATURES_CLAP,
}
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What the operator asks for."""

    dataset: Dataset
    root: Path
    setting: Setting
    methods: tuple[str, ...]
    seeds: int = 5
    rounds: int | None = None  # None: the recipe's
    local_epochs: int | None = None
    participants: str | None = None  # a number, FILE or FILE:KEY; None: the data set's own
    labelled_shares: tuple[float, ...] = (0.0,)
    compression: str = "fp32"
    epsilon: float | None = None  # over all rounds, per participant
    delta: float = 1e-5
    clip_norm: float | None = None  # None: the recipe's where there is noise, else no clipping
    secure: bool = False
    poison: Poison | None = None
    options: Options = field(default_factory=dict)  # of strategies, by name
    backend: Backend = "inline"

    @property
    def recipe(self) -> Recipe:
        """The data set's, as changed by the operator."""
        recipe = RECIPES[self.dataset, self.setting == "normal"]
        plan = replace(recipe.plan, epochs=self.local_epochs or recipe.plan.epochs)
        names = {*recipe.strategy, *self.options}
        strategy = {n: {**recipe.strategy.get(n, {}), **self.options.get(n, {})} for n in names}
        rounds = self.rounds or recipe.rounds
        return replace(recipe, plan=plan, rounds=rounds, strategy=strategy)

    @property
    def terms(self) -> Terms:
        """What happens to every update; noise is as much as the budget asks for over all rounds."""
        noise, clip_norm = 0.0, self.clip_norm
        if self.epsilon is not None:
            noise = noise_multiplier_for(self.epsilon, self.delta, self.recipe.rounds)
            clip_norm = clip_norm or self.recipe.clip_norm
        return Terms(self.compression, clip_norm, noise, self.secure, self.poison)

    def jobs(self) -> list[Job]:
        """Every method with every seed and share of labels; ConfigError where one cannot be."""
        recipe, terms = self.recipe, self.terms
        names = {method.removesuffix(TUNED) for method in self.methods}
        for method in names - {LOCAL, CENTRALISED}:
            strategy = make_strategy(method, **recipe.strategy.get(method, {}))
            strategy.expects(self._any_student())
            check_combination(
                method, strategy_sees_updates=strategy.sees_updates, secure=self.secure
            )
        return [
            Job(method, seed, share, recipe, terms)
            for share in self.labelled_shares
            for method in self.methods
            for seed in range(self.seeds)
        ]

    def _any_student(self) -> Weights:
        """Weights with the names of those to be trained; their width is not known yet."""
        head: Head = "density" if self.setting == "normal" else "clap"
        return weights_of(make_student(self.recipe.spec(head, width=1), seed=0))

    def check(self) -> None:
        """Raise ConfigError for wishes that contradict each other."""
        if {LOCAL + TUNED, CENTRALISED + TUNED} & {*self.methods}:
            raise ConfigError(f"--methods: {TUNED} is for strategies; local is tuned as it is")
        if self.setting != "partial" and any(self.labelled_shares):
            raise ConfigError(f"--labelled-share says nothing in --setting {self.setting}")
        if self.secure and self.poison and self.poison.kind == "nan":
            raise ConfigError("--secure sends integers: none of them is a NaN; choose another lie")
        if self.secure and self.compression != "fp32":
            raise ConfigError("--secure sends integers that add up: --compression cannot be used")
        if self.backend == "broker":
            find_mosquitto()
            if self.poison:
                raise ConfigError(
                    "--backend broker runs the hosts' own code, which has no --poison"
                )
        if self.dataset == "shanghaitech-tracks" and self.setting == "normal" and self.participants:
            raise ConfigError("--setting normal: the cameras are the participants, as calibrated")


def read_scenario(study: Study) -> Scenario:
    """Read the data set, with a bar; raises DatasetError or ConfigError."""
    owners = _owners(study.participants)
    shown = partial(_shown, what="reading")
    if study.dataset == "features":
        normal = study.setting == "normal"
        return FeatureClips.read(study.root, normal=normal, owners=owners, progress=shown)
    if study.setting == "normal":
        return NormalTracks.read(study.root, progress=shown)
    return WeakTracks.read(study.root, owners=owners, progress=shown)


def run_study(study: Study) -> tuple[list[Row], Sequence[str]]:
    """Do all runs; rows in the order of the methods, and what of the data set is left out."""
    study.check()
    jobs = study.jobs()
    scenario = read_scenario(study)
    with _bar(sum(job.recipe.rounds for job in jobs), "training") as bar:
        runs = list(BACKENDS[study.backend](scenario, jobs, bar.update))
    return rows_of(study.setting, _in_order(runs, jobs)), scenario.left_out


def _in_order(runs: Iterable[Run], jobs: Sequence[Job]) -> list[Run]:
    def key(job: Job) -> tuple[str, int, float]:
        return job.method, job.seed, job.labelled_share

    found = {key(run.job): run for run in runs}
    return [found[key(job)] for job in jobs]


def _owners(participants: str | None) -> Owners | int | None:
    if participants is None:
        return None
    return int(participants) if participants.isdecimal() else read_owners(participants)


def _bar(total: int, what: str) -> tqdm[Any]:
    return tqdm(desc=what, total=total, unit="round", disable=None)


def _shown(items: Sequence[Item], *, what: str) -> Iterator[Item]:
    yield from tqdm(items, desc=what, disable=None)
