"""Which network learns: the teacher's, the student's, or one of the ablation's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self, get_args

import numpy as np
import torch
from torch import nn

from edge.domain.boxes import Floats
from edge.domain.weights import Weights
from edge.errors import ModelError
from edge.model.dakd import DakdNetwork, DakdStudent, Projection
from edge.model.spec import StudentSpec
from edge.model.student import load_weights, make_student, weights_of
from edge.model.tam import COMPONENTS, Component, TemporalAggregation
from export.dakd.features import FeatureSet
from export.dakd.temporal import TEMPORAL, TemporalName

TINY = 1e-6
PREFIX = "network."  # of a student's weights, before the names that the network has by itself


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """One network over T backbones; equal specs have equal weight names and shapes."""

    widths: tuple[int, ...]  # d_t of each backbone
    hidden: int = 512  # what every backbone is projected to
    attention_heads: int = 8
    reach: int = 25  # k of Eq. 1
    window: int | None = None  # a segment sees so many, the last of them itself; None: all
    temporal: TemporalName = "tam"  # the others are Table 1's
    components: tuple[Component, ...] = COMPONENTS  # of the attention (Table 5)

    def __post_init__(self) -> None:
        """Refuse what cannot be built; raises ModelError."""
        limit = () if self.window is None else (self.window,)
        numbers = (*self.widths, self.hidden, self.attention_heads, self.reach, *limit)
        if not self.widths or any(type(number) is not int or number < 1 for number in numbers):
            raise _unusable("sizes must be whole numbers, at least 1")
        if self.hidden % self.attention_heads:
            raise _unusable("attention_heads must divide hidden")
        if self.temporal not in get_args(TemporalName):
            raise _unusable(f"temporal part {self.temporal!r} is none of {get_args(TemporalName)}")
        if not self.components or not set(self.components) <= set(COMPONENTS):
            raise _unusable(f"attention {self.components} is no choice of {COMPONENTS}")
        if self.temporal == "tam" and set(self.components) == {"cross"} and len(self.widths) == 1:
            raise _unusable("attention of cross alone needs a second backbone to look across to")

    def as_json(self) -> dict[str, Any]:
        """Only JSON types; ``from_json`` restores it."""
        lists = {"widths": list(self.widths), "components": list(self.components)}
        return asdict(self) | lists

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Raises ModelError where a field is missing, unknown or of another type."""
        try:
            tuples = {name: tuple(fields[name]) for name in ("widths", "components")}
            return cls(**dict(fields) | tuples)
        except (KeyError, TypeError) as error:
            raise _unusable(f"fields do not fit ({error})") from error


def make_network(spec: NetworkSpec, *, seed: int) -> DakdNetwork:
    """A new network; equal spec and seed give equal weights, and no other draw is disturbed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        temporal = _temporal(spec)
        return DakdNetwork(spec.widths, spec.hidden, temporal, temporal.width_out)


def standardise(network: DakdNetwork, features: FeatureSet) -> None:
    """Set each backbone's mean and spread to those of all training segments."""
    for place, projection in enumerate(network.projections):
        assert isinstance(projection, Projection)
        rows = np.concatenate([views[place] for views in features.train.values()])
        spread = rows.std(axis=0, dtype=np.float64)
        projection.input_mean.copy_(torch.from_numpy(rows.mean(axis=0, dtype=np.float64)))
        projection.input_scale.copy_(torch.from_numpy(np.where(spread > TINY, spread, 1.0)))


def network_of(spec: NetworkSpec | StudentSpec, weights: Weights) -> DakdNetwork:
    """The network with these weights, ready to score.

    Raises ModelError where they do not fit, or the student is not of this kind.
    """
    built: nn.Module
    if isinstance(spec, StudentSpec):
        built = make_student(spec, seed=0)
        if not isinstance(built, DakdStudent):
            raise _unusable(f"a student with head {spec.head} is not distilled here")
    else:
        built = make_network(spec, seed=0)
    load_weights(built, weights, where="dakd")
    network = built.network if isinstance(built, DakdStudent) else built
    assert isinstance(network, DakdNetwork)
    return network.eval()


def student_weights(network: DakdNetwork) -> dict[str, Floats]:
    """A trained network's weights under the names that they have in a ``dakd`` student."""
    return {f"{PREFIX}{name}": array for name, array in weights_of(network).items()}


def as_network(spec: StudentSpec) -> NetworkSpec:
    """The network inside a ``dakd`` student."""
    return NetworkSpec(
        widths=(spec.inputs,),
        hidden=spec.hidden,
        attention_heads=spec.attention_heads,
        reach=spec.reach,
        window=spec.window if spec.causal else None,
    )


def _temporal(spec: NetworkSpec) -> Any:
    if spec.temporal == "tam":
        return TemporalAggregation(
            spec.hidden,
            backbones=len(spec.widths),
            heads=spec.attention_heads,
            reach=spec.reach,
            window=spec.window,
            components=spec.components,
        )
    return TEMPORAL[spec.temporal](spec.hidden, spec.attention_heads, spec.reach)


def _unusable(what: str) -> ModelError:
    return ModelError(f"dakd: {what}")
