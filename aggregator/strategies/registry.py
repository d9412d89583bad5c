"""Strategies by name, their options checked; the plug-in point.

A strategy of one's own is a frozen dataclass that subclasses ``Strategy``, or one of those here;
its annotated fields are its options. Name it ``package.module:Class`` where a strategy's name is
asked for, and put the package on Python's path (PYTHONPATH).
``tests/aggregator/strategies/example_plugin.py`` is one.
"""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from aggregator.strategies.adaptive import FedAdam, FedAvgM, FedYogi
from aggregator.strategies.averaging import FedAvg, FedBuff, FedProx
from aggregator.strategies.clipping import MedianNormClipping, NormClipping
from aggregator.strategies.coordinates import CoordinateMedian, TrimmedMean
from aggregator.strategies.geometric_median import GeometricMedian
from aggregator.strategies.krum import Krum, MultiKrum
from aggregator.strategies.personal import FedBN, FedRep
from aggregator.strategies.port import Strategy
from aggregator.strategies.scaffold import Scaffold
from edge.errors import ConfigError

_BUILT_IN: tuple[type[Strategy], ...] = (
    *(FedAvg, FedProx, FedBuff, Scaffold, FedAvgM, FedAdam, FedYogi, FedBN, FedRep),
    *(NormClipping, MedianNormClipping, TrimmedMean, CoordinateMedian),
    *(Krum, MultiKrum, GeometricMedian),
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
    return strategy(**_checked(strategy, name, options))


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


def _checked(strategy: type[Strategy], name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Options of the types and in the ranges that the fields declare."""
    fields = {field.name: field for field in dataclasses.fields(strategy)}  # type: ignore[arg-type]  # _imported checked
    unknown = sorted(options.keys() - fields.keys())
    if unknown:
        raise ConfigError(
            f"strategy {name} has no option {unknown[0]!r}: it has {', '.join(fields) or 'none'}"
        )
    missing = [field for field in fields if _is_required(fields[field]) and field not in options]
    if missing:
        raise ConfigError(f"strategy {name} needs the option {missing[0]!r}")
    hints = get_type_hints(strategy, include_extras=True)
    return {option: _valid(hints[option], value, name, option) for option, value in options.items()}


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _valid(hint: Any, value: object, name: str, option: str) -> Any:
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]["msg"]
        raise ConfigError(f"strategy {name}, option {option} = {value!r}: {detail}") from None
