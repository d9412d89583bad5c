"""Strategies by name, their options checked; the plug-in point.

A strategy of one's own is a frozen dataclass that subclasses ``Strategy``, or one of those here;
its annotated fields are its options. Name it ``package.module:Class`` where a strategy's name is
asked for, and put the package on Python's path (PYTHONPATH).
``tests/aggregator/strategies/example_plugin.py`` is one.
"""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

from aggregator.strategies.adaptive import FedAdam, FedAvgM, FedYogi
from aggregator.strategies.averaging import FedAvg, FedBuff, FedProx
from aggregator.strategies.clipping import MedianNormClipping, NormClipping
from aggregator.strategies.coordinates import CoordinateMedian, TrimmedMean
from aggregator.strategies.fedpac import FedPAC
from aggregator.strategies.fvcc import FVCC
from aggregator.strategies.geometric_median import GeometricMedian
from aggregator.strategies.krum import Krum, MultiKrum
from aggregator.strategies.making import make
from aggregator.strategies.personal import FedALA, FedBN, FedRep
from aggregator.strategies.port import Strategy
from aggregator.strategies.scaffold import Scaffold
from edge.errors import ConfigError

_BUILT_IN: tuple[type[Strategy], ...] = (
    *(FedAvg, FedProx, FedBuff, Scaffold, FedAvgM, FedAdam, FedYogi, FedBN, FedRep, FedALA),
    *(NormClipping, MedianNormClipping, TrimmedMean, CoordinateMedian),
    *(Krum, MultiKrum, GeometricMedian),
    *(FedPAC, FVCC),
)
STRATEGIES = {strategy.name: strategy for strategy in _BUILT_IN}
"""By the name that a configuration gives."""


def make_strategy(name: str, **options: Any) -> Strategy:
    """A built-in strategy or ``package.module:Class``; ConfigError says what exists instead."""
    strategy = _imported(name) if ":" in name else STRATEGIES.get(name)
    if strategy is None:
        raise ConfigError(
            f"strategy {name!r} does not exist: choose one of {', '.join(sorted(STRATEGIES))}, or "
            f"name a class of your own as package.module:Class"
        )
    return make(strategy, name, options)


def _imported(name: str) -> type[Strategy]:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"strategy {name!r} cannot be imported: {error}; is its folder in PYTHONPATH?"
        ) from None
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise ConfigError(f"strategy {name!r} is no subclass of {Strategy.__module__}.Strategy")
    if not dataclasses.is_dataclass(found):
        raise ConfigError(f"strategy {name!r} is no dataclass: its fields would be its options")
    return found
