from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aggregator.simulate.backends import BACKENDS, inline, processes
from aggregator.simulate.channel import Terms
from aggregator.simulate.features import FeatureClips
from aggregator.simulate.learner import Learner
from aggregator.simulate.poison import Poison
from aggregator.simulate.recipes import Recipe
from aggregator.simulate.run import Job, run_job
from aggregator.strategies.port import LocalRule
from edge.errors import ConfigError, TrainingError
from edge.model.student import make_student, weights_of
from edge.training.labelling import LabelOptions
from edge.training.plan import LocalPlan

RECIPE = Recipe(
    plan=LocalPlan(optimiser="adam", learning_rate=0.01, batch_rows=64),
    rounds=3,
    hidden=16,
    dropout=0.0,
    noise=(0.3, 1.0),
    labels=LabelOptions(kind="embedding"),
    strategy={"fedadam": {"server_learning_rate": 0.01}, "fedrep": {"head_epochs": 1}},
)


def job(method: str, seed: int = 0, **terms) -> Job:
    return Job(method, seed, 1.0, RECIPE, Terms(**terms))


@pytest.fixture
def clips(features: Path) -> FeatureClips:
    return FeatureClips.read(features, normal=False, owners=3)


@pytest.fixture
def normal(features: Path) -> FeatureClips:
    return FeatureClips.read(features, normal=True, owners=2)


@pytest.mark.parametrize(
    "method",
    [
        *(
            "local",
            "centralised",
            "fedavg",
            "fedprox",
            "scaffold",
            "fedadam",
            "fedrep",
            "fedavg+tuned",
        ),
        *("trimmed_mean", "coordinate_median", "geometric_median"),
    ],
)
def test_every_method_runs_and_equal_seeds_give_equal_figures(clips: FeatureClips, method: str):
    run = run_job(clips, job(method))
    assert len(run.rounds) == RECIPE.rounds
    assert all(np.isfinite(list(each.figures.values())).all() for each in run.rounds)
    assert (run.rounds[0].bytes_up > 0) == (method not in ("local", "centralised"))
    again = run_job(clips, job(method))
    assert [r.figures for r in again.rounds] == [r.figures for r in run.rounds]


def test_anomalies_of_large_norm_are_learnt_without_labels(features: Path):
    scenario = FeatureClips.read(features, normal=False, owners=1)
    recipe = replace(RECIPE, rounds=20, hidden=32)
    run = run_job(scenario, Job("fedavg", 0, 0.0, recipe, Terms()))
    assert run.rounds[-1].figures["auc_micro_segment"] > 0.8


def test_a_federation_of_one_learns_as_if_alone(features: Path):
    scenario = FeatureClips.read(features, normal=False, owners=1)
    runs = [run_job(scenario, job(method)) for method in ("local", "fedavg", "centralised")]
    for run in runs[1:]:
        for mine, alone in zip(run.rounds, runs[0].rounds, strict=True):
            assert mine.figures == pytest.approx(alone.figures, abs=1e-3)


def test_density_learns_from_normal_clips_alone(normal: FeatureClips):
    assert any("n00: abnormal" in what for what in normal.left_out)
    problem = normal.problem(seed=0, labelled_share=0)
    assert sum(len(each.videos) for each in problem.participants) == 8
    run = run_job(normal, replace(job("fedbn"), recipe=replace(RECIPE, rounds=20)))
    assert run.rounds[-1].figures["auc_micro_segment"] > 0.8


def test_what_stays_at_home_is_not_sent_and_not_overwritten(normal: FeatureClips):
    problem = normal.problem(seed=0, labelled_share=0)
    learner = Learner(problem.participants[0], problem, RECIPE, seed=0, index=0)
    model = weights_of(make_student(learner.spec, seed=0))
    update = learner.train(model, 1, LocalRule(keep_local=("norm*",)))
    kept = {name for name in model if name.startswith("norm")}
    assert kept
    assert kept.isdisjoint(update.delta)
    own = learner.model(model)
    assert all(not np.array_equal(own[name], model[name]) for name in kept)
    assert all(own[name] is model[name] for name in model.keys() - kept)


def test_tuning_changes_what_a_participant_is_judged_by_and_not_what_is_sent(clips: FeatureClips):
    plain, tuned = (run_job(clips, job(method)) for method in ("fedavg", "fedavg+tuned"))
    assert [r.bytes_up for r in plain.rounds] == [r.bytes_up for r in tuned.rounds]
    assert [r.figures for r in plain.rounds] != [r.figures for r in tuned.rounds]


def test_a_refused_participant_is_named_and_the_others_go_on(clips: FeatureClips):
    run = run_job(clips, job("fedavg", poison=Poison("nan", 0.34)))
    assert all(len(each.refused) == 1 for each in run.rounds)
    assert np.isfinite(list(run.rounds[-1].figures.values())).all()


def test_a_round_in_which_everything_is_refused_changes_nothing(features: Path):
    scenario = FeatureClips.read(features, normal=False, owners=1)
    run = run_job(scenario, job("fedavg", poison=Poison("nan", 0.5)))
    assert len({tuple(each.figures.items()) for each in run.rounds}) == 1


def test_whose_training_fails_is_named_and_takes_no_part(
    clips: FeatureClips, monkeypatch: pytest.MonkeyPatch
):
    train = Learner.train

    def failing(self, *arguments):
        if self.name == "1":
            raise TrainingError("learning diverged")
        return train(self, *arguments)

    monkeypatch.setattr(Learner, "train", failing)
    run = run_job(clips, job("fedavg"))
    assert run.rounds[0].refused == ("participant 1 in round 1: learning diverged",)
    assert run.rounds[0].figures != run.rounds[1].figures


def test_processes_find_what_one_process_finds(clips: FeatureClips):
    jobs = [job("fedavg", seed) for seed in (0, 1)]
    heard: list[int] = []
    here = {run.job.seed: run.rounds for run in inline(clips, jobs, heard.append)}
    there = {run.job.seed: run.rounds for run in processes(clips, jobs, heard.append)}
    assert here == there
    assert heard == [1] * 6 + [3, 3]


def test_without_ray_the_backend_says_so(clips: FeatureClips, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ConfigError, match="Ray is not installed"):
        next(BACKENDS["ray"](clips, [job("local")], print))
