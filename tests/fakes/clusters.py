"""A strategy whose clusters everybody can tell beforehand, and work with by hand."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aggregator.strategies.port import NO_STATE, Aggregation, Cluster, Step, Strategy
from edge.domain.weights import Weights, WeightUpdate, added

OBJECTS_OF_LABEL = ((1.0, 0.0), (0.0, 1.0))


def label_of(participant: str) -> int:
    """Where a participant belongs."""
    return len(participant) % 2


@dataclass(frozen=True, slots=True)
class ByName(Strategy):
    """Clusters by the length of names; in each the mean of its updates, its members counted."""

    name = "by-name"
    classes: tuple[str, ...] = ("person", "car")

    @property
    def sees_updates(self) -> bool:
        return True

    @property
    def streaming(self) -> bool:
        return False

    @property
    def clustering(self) -> bool:
        return True

    def begin(self, model: Weights, state: Weights = NO_STATE) -> Aggregation:
        return _Means(model, state)

    def clusters(self, model: Weights, state: Weights) -> tuple[Cluster, ...]:
        found = {}
        for name in sorted(state):
            if name.startswith("member/"):
                found.setdefault(label_of(name.removeprefix("member/")), []).append(
                    name.removeprefix("member/")
                )
        return tuple(
            Cluster(label, {"w": state[f"model/{label}"]}, tuple(found[label]), _seen(state, label))
            for label in sorted(found)
        )

    def place(self, model: Weights, state: Weights, newcomers) -> Weights:
        for participant, objects in newcomers.items():
            known = {f"model/{label_of(participant)}": model["w"]}
            state = {**known, **state, f"member/{participant}": _told(objects)}
        return state

    def improved(self, step: Step, models: Mapping[int, Weights]) -> Step:
        news = {f"model/{label}": model["w"] for label, model in models.items()}
        return Step(step.model, {**step.state, **news})


class _Means(Aggregation):
    def __init__(self, model: Weights, state: Weights) -> None:
        self._model, self._state = model, dict(state)
        self._deltas: dict[int, list] = {0: [], 1: []}

    def add(self, update: WeightUpdate, *, staleness: int = 0) -> None:
        self._state[f"member/{update.participant}"] = _told(update.objects)
        self._deltas[label_of(update.participant)].append(update.delta["w"])

    def finish(self) -> Step:
        for label, deltas in self._deltas.items():
            before = self._state.get(f"model/{label}", self._model["w"])
            if deltas:
                mean = np.mean(deltas, axis=0, dtype=np.float64)
                self._state[f"model/{label}"] = added({"w": before}, {"w": mean})["w"].astype(
                    np.float32
                )
        return Step(self._model, self._state)


def _told(objects) -> np.ndarray:
    return np.full(2, -1, np.float32) if objects is None else objects


def _seen(state: Weights, label: int) -> np.ndarray | None:
    names = (name for name in state if name.startswith("member/"))
    said = [state[n] for n in names if label_of(n.removeprefix("member/")) == label]
    known = [objects for objects in said if objects[0] >= 0]
    return np.mean(known, axis=0) if known else None
