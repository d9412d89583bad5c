"""``vad-edge ledger``: what has left this host over the federation, and what it cost of privacy."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict

from edge.commands.report import answer
from edge.compose import budget_path, ledger_path
from edge.config import EdgeConfig, load_config
from edge.federation.ledger import Departure, Ledger, Total
from edge.federation.spent import Spent, read_spent

DAY_S = 86_400.0
UNIT = "what noise hides is this host's whole footage, in updates and shares of classes alike"


def run(options: argparse.Namespace) -> int:
    """Sums for ever, and single departures of the latest days."""
    config = load_config(options.config)
    path = ledger_path(config)
    totals: Mapping[str, Total] = {}
    holdings: Mapping[str, Total] = {}
    entries: Sequence[Departure] = ()
    if path.exists():
        with closing(Ledger(path)) as ledger:
            totals, holdings = ledger.totals(), ledger.holdings()
            entries = ledger.entries(time.time() - options.days * DAY_S)
    spent = read_spent(budget_path(config))
    figures = {
        "totals": {schema: asdict(total) for schema, total in totals.items()},
        "holdings": {holds: asdict(total) for holds, total in holdings.items()},
        "privacy": _privacy(config, spent),
        "departures": [asdict(entry) for entry in entries],
    }
    lines = _sums(totals, holdings) + _budget(config, spent) + _single(entries, options.days)
    text = "\n".join(lines) if totals else "nothing has left this host over a federation"
    answer(figures, as_json=options.format == "json", text=text)
    return 0


def _privacy(config: EdgeConfig, spent: Spent) -> dict[str, object]:
    limit = config.federation.privacy if config.federation else None
    return {
        "unit": UNIT,
        "epsilon": spent.epsilon,
        "delta": spent.delta,
        "epsilon_limit": limit.epsilon if limit else None,
        "updates": spent.rounds.total(),
        "shares_of_classes": spent.shares.total(),
    }


def _sums(totals: Mapping[str, Total], holdings: Mapping[str, Total]) -> list[str]:
    lines = [f"{schema:<18} {_size(total)}" for schema, total in totals.items()]
    return lines + [f"  {_size(total)} held {holds}" for holds, total in holdings.items()]


def _size(total: Total) -> str:
    return f"{total.messages:>8} messages {total.size_bytes:>12} bytes"


def _budget(config: EdgeConfig, spent: Spent) -> list[str]:
    """What the privacy budget says; a host without one adds the noise that it is asked for."""
    limit = config.federation.privacy if config.federation else None
    if limit is None:
        return [f"privacy: no budget is set; {UNIT}"]
    paid = f"{spent.rounds.total()} updates, shares of classes {spent.shares.total()} times"
    cost = "" if spent.epsilon is None else f": ε {spent.epsilon:.3g} at δ {spent.delta:.1g}"
    return [f"privacy: paid for {paid}{cost}, of at most ε {limit.epsilon:g}; {UNIT}"]


def _single(entries: Sequence[Departure], days: float) -> list[str]:
    return [f"in the last {days:g} days:"] + [
        f"{_utc(entry.time_s)} {entry.schema:<18} {entry.size_bytes:>8} bytes to {entry.topic}"
        + (f": {entry.holds}" if entry.holds else "")
        for entry in entries
    ]


def _utc(time_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time_s))
