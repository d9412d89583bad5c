"""A whole table: which scenario, which runs, and their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tqdm import tqdm

from aggregator.distillation.options import changed
from aggregator.simulate.backends import BACKENDS, Backend
from aggregator.simulate.channel import Terms
from aggregator.simulate.method import CAPTIONED, Method
from aggregator.simulate.poison import Poison
from aggregator.simulate.problem import Head, Scenario
from aggregator.simulate.recipes import (
    FEATURES_CLAP,
    FEATURES_DENSITY,
    STREETS_CLAP,
    STREETS_DENSITY,
    TRACKS_CLAP,
    TRACKS_DENSITY,
    Recipe,
)
from aggregator.simulate.run import Job, Run
from aggregator.simulate.scenarios import Dataset, read_scenario
from aggregator.simulate.site import find_mosquitto
from aggregator.simulate.table import Row, rows_of
from aggregator.unmasking import check_combination
from edge.domain.weights import Weights
from edge.errors import ConfigError
from edge.federation.privacy_budget import noise_multiplier_for
from edge.model.student import make_student, weights_of

Setting: TypeAlias = Literal["normal", "unlabelled", "partial"]
Options: TypeAlias = Mapping[str, Mapping[str, Any]]

RECIPES: Mapping[tuple[Dataset, bool], Recipe] = {
    ("shanghaitech-tracks", True): TRACKS_DENSITY,
    ("shanghaitech-tracks", False): TRACKS_CLAP,
    ("streets", True): STREETS_DENSITY,
    ("streets", False): STREETS_CLAP,
    ("features", True): FEATURES_DENSITY,
    ("features", False): FEATURES_CLAP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What the operator asks for."""

    dataset: Dataset
    root: Path | None  # None: the data set needs none
    setting: Setting
    methods: tuple[str, ...]
    seeds: int = 5
    rounds: int | None = None  # None: the recipe's
    local_epochs: int | None = None
    participants: str | None = None  # a number, FILE or FILE:KEY; None: the data set's own
    public: str | None = None  # whose clips the aggregator has; None: the data set's own, if any
    labelled_shares: tuple[float, ...] = (0.0,)
    compression: str = "fp32"
    epsilon: float | None = None  # over all rounds, per participant
    delta: float = 1e-5
    clip_norm: float | None = None  # None: the recipe's where there is noise, else no clipping
    secure: bool = False
    poison: Poison | None = None
    options: Options = field(default_factory=dict)  # of strategies by name, and of +ased
    backend: Backend = "inline"
    judge_every: int = 1  # rounds

    @property
    def recipe(self) -> Recipe:
        """The data set's, as changed by the operator."""
        recipe = RECIPES[self.dataset, self.setting == "normal"]
        plan = replace(recipe.plan, epochs=self.local_epochs or recipe.plan.epochs)
        names = {*recipe.strategy, *self.options} - {CAPTIONED}
        strategy = {n: {**recipe.strategy.get(n, {}), **self.options.get(n, {})} for n in names}
        ased = changed(recipe.ased, self.options.get(CAPTIONED, {}))
        rounds = self.rounds or recipe.rounds
        return replace(recipe, plan=plan, rounds=rounds, strategy=strategy, ased=ased)

    def told_options(self) -> dict[str, dict[str, Any]]:
        """All that runs depend on, as options: of strategies, and of the distillation if any."""
        recipe = self.recipe
        told = {name: dict(options) for name, options in recipe.strategy.items()}
        if any(Method.parse(method).distilled for method in self.methods):
            told[CAPTIONED] = asdict(recipe.ased)
        return told

    @property
    def terms(self) -> Terms:
        """What happens to every update; noise is as much as the budget asks for over all rounds.

        Where any of the methods asks what objects participants see, that costs all of them one
        release more: a study has one noise. Shares are noised once, and sent again for nothing.
        """
        noise, clip_norm, recipe = 0.0, self.clip_norm, self.recipe
        if self.epsilon is not None:
            asked = any(Method.parse(m).counts_objects(recipe.strategy) for m in self.methods)
            noise = noise_multiplier_for(self.epsilon, self.delta, recipe.rounds + asked)
            clip_norm = clip_norm or recipe.clip_norm
        return Terms(self.compression, clip_norm, noise, self.secure, self.poison)

    def jobs(self) -> list[Job]:
        """Every method with every seed and share of labels; ConfigError where one cannot be."""
        recipe, terms = self.recipe, self.terms
        for method in map(Method.parse, self.methods):
            if not method.is_federated:
                continue
            strategy = method.strategy(recipe.strategy)
            strategy.expects(self._any_student())
            check_combination(
                method.name, strategy_sees_updates=strategy.sees_updates, secure=self.secure
            )
            if self.backend == "broker" and (strategy.clustering or method.distilled):
                raise ConfigError(
                    f"--backend broker follows one model as it comes: simulate {method.name} with "
                    "clusters or distillation inline"
                )
        return [
            Job(method, seed, share, recipe, terms, self.judge_every)
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
        self._check_options()
        if (self.root is None) != (self.dataset == "streets"):
            raise ConfigError("--root: a folder for every data set but streets, which has none")
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
        if self.dataset == "streets" and (self.participants or self.public):
            raise ConfigError("--dataset streets: its participants and public videos are fixed")
        if self.dataset == "features" and self.public:
            raise ConfigError("--public: a folder of features says nothing of objects or words")

    def _check_options(self) -> None:
        """Raise ConfigError where options are of something that no run has."""
        methods = [Method.parse(each) for each in self.methods]
        trained = dict.fromkeys(method.name for method in methods if method.is_federated)
        if any(method.distilled for method in methods):
            trained[CAPTIONED] = None  # and without captions it has the same options
        for name in sorted(self.options.keys() - trained.keys()):
            raise ConfigError(
                f"option {name}.{next(iter(self.options[name]))}: no run has {name}; "
                f"those of --methods {','.join(self.methods)} have: "
                f"{', '.join(trained) or 'nothing with options'}: add it there, or leave the "
                "option out"
            )


def read_for(studies: Sequence[Study]) -> Scenario:
    """The data set of studies that differ in nothing that concerns it.

    Raises VadError where it or one of them cannot be used.
    """
    for each in studies:
        each.check()
        each.jobs()  # before a long reading, what cannot be done is said
    study = studies[0]
    scenario = read_scenario(
        study.dataset,
        study.root,
        normal=study.setting == "normal",
        participants=study.participants,
        public=study.public,
    )
    if scenario.public() is None and any(Method.parse(m).distilled for m in study.methods):
        raise ConfigError("+ased and +vd distil from public videos: name them with --public")
    return scenario


def run_study(study: Study, scenario: Scenario) -> list[Row]:
    """Do all runs; rows in the order of the methods."""
    jobs = study.jobs()
    with _bar(sum(job.recipe.rounds for job in jobs), "training") as bar:
        runs = list(BACKENDS[study.backend](scenario, jobs, bar.update))
    return rows_of(study.setting, _in_order(runs, jobs))


def _in_order(runs: Iterable[Run], jobs: Sequence[Job]) -> list[Run]:
    def key(job: Job) -> tuple[str, int, float]:
        return job.method, job.seed, job.labelled_share

    found = {key(run.job): run for run in runs}
    return [found[key(job)] for job in jobs]


def _bar(total: int, what: str) -> tqdm[Any]:
    return tqdm(desc=what, total=total, unit="round", disable=None)
