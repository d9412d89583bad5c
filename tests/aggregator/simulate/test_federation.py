"""Clusters in a simulated federation, with a strategy that groups by the shares alone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from aggregator.simulate.channel import Channel, Terms
from aggregator.simulate.federation import Federation
from aggregator.strategies.averaging import FedAvg
from aggregator.strategies.port import NO_STATE, Aggregation, Cluster, Step
from edge.domain.weights import Weights, WeightUpdate

SEES = {"a": (1.0, 0.0), "b": (1.0, 0.0), "c": (0.0, 1.0)}


class Pupil:
    """Trains by adding 1 to whatever model it is given, and remembers that."""

    class Teacher:
        def statistics(self):
            return None

        def hear(self, mixture):
            self.heard = list(mixture)

    def __init__(self, name: str) -> None:
        self.name = name
        self.objects = np.array(SEES[name], np.float32)
        self.teacher = self.Teacher()
        self.given: list[float] = []

    def train(self, published: Weights, number: int, rule) -> WeightUpdate:
        self.given.append(float(published["w"][0]))
        return WeightUpdate(self.name, number, 1, {"w": np.ones(1, np.float32)}, self.objects)

    def model(self, published: Weights) -> Weights:
        return published

    def personalised(self, published: Weights, number: int) -> Weights:
        return {"w": published["w"] + 0.5}


@dataclass(frozen=True)
class ByLargestShare(FedAvg):
    """A cluster for all whose commonest class is the same; its model is ten times its label."""

    name = "by-largest-share"
    classes: ClassVar[tuple[str, ...]] = ("person", "car")

    def begin(self, model: Weights, state: Weights = NO_STATE) -> Aggregation:
        return _Gathered(model, dict(state))

    def clusters(self, model: Weights, state: Weights) -> tuple[Cluster, ...]:
        labels = sorted({int(v[0]) for n, v in state.items() if n.startswith("of/")})
        return tuple(
            Cluster(
                label,
                {"w": state[f"model/{label}"]},
                tuple(n[3:] for n, v in sorted(state.items()) if n[:3] == "of/" and v[0] == label),
                None,
            )
            for label in labels
        )

    def place(self, model, state, objects) -> Weights:
        label = {f"of/{n}": np.array([np.argmax(each)], np.float32) for n, each in objects.items()}
        return {**state, **label}

    def improved(self, step: Step, models: Mapping[int, Weights]) -> Step:
        told = {f"model/{label}": weights["w"] for label, weights in models.items()}
        return replace(step, state={**step.state, **told})


class _Gathered(Aggregation):
    def __init__(self, model: Weights, state: dict) -> None:
        self.model, self.state = model, state

    def add(self, update: WeightUpdate, *, staleness: int = 0) -> None:
        label = int(np.argmax(update.objects))
        self.state[f"of/{update.participant}"] = np.array([label], np.float32)
        self.state[f"model/{label}"] = np.array([10.0 * label], np.float32)

    def finish(self) -> Step:
        return Step(self.model, self.state)


class Doubling:
    """Improves a model to twice itself plus one."""

    def improve(self, clusters, round_number: int) -> Mapping[int, Weights]:
        self.asked = {label: float(weights["w"][0]) for label, (weights, _) in clusters.items()}
        return {label: {"w": 2 * weights["w"] + 1} for label, (weights, _) in clusters.items()}


def federation(names: str, strategy=None, **options) -> tuple[Federation, dict[str, Pupil]]:
    pupils = {name: Pupil(name) for name in names}
    strategy = strategy or ByLargestShare()
    channel = Channel(Terms(), strategy, [*SEES], 0)
    model = {"w": np.zeros(1, np.float32)}
    options = {"tuned": False, **options}
    return Federation([*pupils.values()], model, strategy, channel, **options), pupils


def held(federation: Federation) -> dict[str, float]:
    return {name: float(model["w"][0]) for name, model in federation.models().items()}


def test_everybody_begins_alike_and_goes_on_with_its_clusters_model():
    together, pupils = federation("abc")
    assert together.clusters() == ()
    together.round(1)
    assert held(together) == {"a": 0, "b": 0, "c": 10}
    together.round(2)
    assert {name: pupil.given for name, pupil in pupils.items()} == {
        "a": [0, 0],
        "b": [0, 0],
        "c": [0, 10],
    }


def test_members_are_tuned_from_their_clusters_model():
    together, _ = federation("ac", tuned=True)
    together.round(1)
    assert held(together) == {"a": 0.5, "c": 10.5}


def test_improved_models_are_what_members_are_given():
    doubling = Doubling()
    together, pupils = federation("ac", improver=doubling)
    together.round(1)
    assert doubling.asked == {0: 0, 1: 10}
    assert held(together) == {"a": 1, "c": 21}
    together.round(2)
    assert pupils["c"].given == [0, 21]


def test_without_clusters_the_one_model_is_improved():
    doubling = Doubling()
    together, _ = federation("ac", FedAvg(), improver=doubling)
    together.round(1)
    assert doubling.asked == {0: 1}
    assert held(together) == {"a": 3, "c": 3}


def test_who_comes_later_begins_with_the_model_of_those_who_see_the_same():
    together, _ = federation("ac", improver=Doubling())
    together.round(1)
    late = Pupil("b")
    together.admit(late)
    together.round(2)
    assert late.given == [1]
    assert together.clusters()[0].members == ("a", "b")


def test_what_is_said_of_objects_is_noised_once_and_only_where_somebody_asks():
    strategy = ByLargestShare()
    channel = Channel(Terms(clip_norm=1.0, noise_multiplier=0.3), strategy, [*SEES], 0)
    shares = np.array(SEES["a"], np.float32)
    first = channel.released("a", shares)
    assert not np.array_equal(first, shares)
    assert channel.released("a", shares) is first
    assert first.sum() == pytest.approx(1)
    assert Channel(Terms(), FedAvg(), [*SEES], 0).released("a", shares) is None
