"""A strategy from its options: every one known, of the type and in the range that it declares."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from aggregator.strategies.port import Strategy
from edge.errors import ConfigError


def make(strategy: type[Strategy], name: str, options: Mapping[str, Any]) -> Strategy:
    """Of a dataclass; ConfigError, which calls it ``name``, where options do not fit."""
    return strategy(**_checked(strategy, name, options))


def _checked(strategy: type[Strategy], name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the types and in the ranges that the fields declare."""
    fields = {field.name: field for field in dataclasses.fields(strategy)}  # type: ignore[arg-type]  # only dataclasses come here
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
