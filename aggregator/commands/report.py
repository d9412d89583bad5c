"""How commands answer, for a person or for a program; and where they look."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

from aggregator.compose import STORE
from aggregator.config import load_config
from aggregator.store import Store
from edge.errors import ConfigError


@contextmanager
def memory(options: argparse.Namespace) -> Iterator[Store]:
    """The store of the configured aggregator, read only; it may be at work.

    Raises ConfigError where no round has begun.
    """
    config = load_config(options.config)
    path = config.data_dir / STORE
    nothing = ConfigError(f"{path}: `vad-aggregator run` has not begun a federation there")
    if not path.exists():
        raise nothing
    with closing(Store(path, read_only=True)) as store:
        if store.running() is None:
            raise nothing
        yield store


def answer(figures: Mapping[str, Any], *, as_json: bool, text: str) -> None:
    """Print one JSON object, or the text."""
    print(json.dumps(figures, ensure_ascii=False, allow_nan=False) if as_json else text)


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as they must be."""
    cells = [list(headings), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    lines = ("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def moment(time_s: float | None) -> str:
    """As people write it, UTC; "-" for never."""
    if time_s is None:
        return "-"
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
