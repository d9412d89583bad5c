"""``vad-edge ledger``: what has left this host over the federation, and under which schema."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from edge.commands.report import answer
from edge.compose import ledger_path
from edge.config import load_config
from edge.federation.ledger import Departure, Ledger, Total

DAY_S = 86_400.0


def run(options: argparse.Namespace) -> int:
    """Sums for ever, and single departures of the latest days."""
    path = ledger_path(load_config(options.config))
    totals: Mapping[str, Total] = {}
    entries: Sequence[Departure] = ()
    if path.exists():
        ledger = Ledger(path)
        try:
            totals, entries = ledger.totals(), ledger.entries(time.time() - options.days * DAY_S)
        finally:
            ledger.close()
    figures = {
        "totals": {schema: asdict(total) for schema, total in totals.items()},
        "departures": [asdict(entry) for entry in entries],
    }
    text = _text(totals, entries, options.days)
    answer(figures, as_json=options.format == "json", text=text)
    return 0


def _text(totals: Mapping[str, Total], entries: Sequence[Departure], days: float) -> str:
    if not totals:
        return "nothing has left this host over a federation"
    lines = [
        f"{schema:<18} {total.messages:>8} messages {total.size_bytes:>12} bytes"
        for schema, total in totals.items()
    ]
    lines.append(f"in the last {days:g} days:")
    lines += [
        f"{_utc(entry.time_s)} {entry.schema:<18} {entry.size_bytes:>8} bytes to {entry.topic}"
        for entry in entries
    ]
    return "\n".join(lines)


def _utc(time_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time_s))
