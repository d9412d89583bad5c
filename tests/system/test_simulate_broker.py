"""A simulation over mosquitto, with every participant a process, finds what one without finds."""

import os
import signal
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from aggregator.simulate import over_broker as over
from aggregator.simulate import site
from aggregator.simulate.channel import Terms
from aggregator.simulate.features import FeatureClips
from aggregator.simulate.over_broker import over_broker
from aggregator.simulate.problem import Bench, Problem
from aggregator.simulate.recipes import Recipe
from aggregator.simulate.run import Job, Run, in_memory, run_job
from edge.domain.weights import Weights
from edge.errors import TrainingError
from edge.training.labelling import LabelOptions
from edge.training.plan import LocalPlan
from tests.fakes.feature_folder import write_features
from tests.system.broker import MOSQUITTO

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
]
TOLERANCE = 1e-6  # updates are added in the order in which they come
RECIPE = Recipe(
    # Adam would magnify that order's rounding, 1e-7, to 1e-3 where a gradient vanishes
    plan=LocalPlan(optimiser="sgd", learning_rate=0.01, batch_rows=64),
    rounds=3,
    hidden=256,  # a model is more than a pipe holds at once
    dropout=0.3,
    noise=(0.3, 1.0),
    labels=LabelOptions(kind="embedding"),
)


@dataclass
class Witness:
    """A bench that remembers whom it has judged."""

    bench: Bench
    seen: list[Mapping[str, Weights]] = field(default_factory=list)

    def figures(self, models, score):
        self.seen.append(dict(models))
        return self.bench.figures(models, score)


@dataclass
class Watched:
    """A scenario under a witness."""

    scenario: FeatureClips
    witness: Witness | None = None

    def problem(self, **dealt) -> Problem:
        problem = self.scenario.problem(**dealt)
        self.witness = Witness(problem.bench)
        return replace(problem, bench=self.witness)


def done(
    scenario: FeatureClips, job: Job, federate: type[AbstractContextManager]
) -> tuple[Run, list[Mapping[str, Weights]]]:
    watched = Watched(scenario)
    run = run_job(watched, job, federate=federate)
    return run, watched.witness.seen


@pytest.mark.parametrize(
    ("method", "normal"),
    [
        ("fedavg", False),  # pseudo-labels by everybody's statistics
        ("fedbn+tuned", True),  # what stays at home, and one more epoch
    ],
)
def test_a_real_federation_comes_to_the_same_models(tmp_path: Path, method: str, normal: bool):
    scenario = FeatureClips.read(write_features(tmp_path), normal=normal, owners=2)
    job = Job(method, 0, 1.0, RECIPE, Terms())
    here, judged_here = done(scenario, job, in_memory)
    there, judged_there = done(scenario, job, over_broker)
    assert len(there.rounds) == RECIPE.rounds
    assert [each.refused for each in there.rounds] == [()] * RECIPE.rounds
    for mine, theirs in zip(judged_here, judged_there, strict=True):
        assert mine.keys() == theirs.keys()
        for name, weights in mine.items():
            assert weights.keys() == theirs[name].keys()
            for key, array in weights.items():
                np.testing.assert_allclose(theirs[name][key], array, atol=TOLERANCE)
    for mine, theirs in zip(here.rounds, there.rounds, strict=True):
        assert theirs.figures == pytest.approx(mine.figures, abs=0.01)
        # besides its update a host sends some signed words about it
        assert mine.bytes_up < theirs.bytes_up < mine.bytes_up + 10_000


@pytest.mark.parametrize("victim", ["aggregator", "participant"])
def test_a_process_that_dies_ends_the_simulation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, victim: str
):
    started: dict[str, int] = {}
    program, guest = site.Program.__init__, over.Guest.__init__

    def note_program(self, name, *arguments):
        program(self, name, *arguments)
        started[name] = self._process.pid

    def note_guest(self, *arguments):
        guest(self, *arguments)
        started["participant"] = self._process.pid

    monkeypatch.setattr(site.Program, "__init__", note_program)
    monkeypatch.setattr(over.Guest, "__init__", note_guest)
    scenario = FeatureClips.read(write_features(tmp_path), normal=True, owners=2)
    job = Job("fedavg", 0, 1.0, replace(RECIPE, rounds=1000), Terms())

    def kill() -> None:
        os.kill(started[victim], signal.SIGKILL)

    with pytest.raises(TrainingError, match=f"{victim}.* has ended by itself"):
        run_job(scenario, job, kill, over_broker)
