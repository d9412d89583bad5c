"""``vad-aggregator participants``: who takes part, and why not."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from aggregator.commands.report import answer, memory, moment, table
from aggregator.config import load_config
from aggregator.participants import read_participants
from edge.wire.keys import fingerprint

HEADINGS = ("participant", "key", "last seen", "last round", "accepted", "refused", "last reason")


def run(options: argparse.Namespace) -> int:
    """Everybody who is registered, and everybody who was ever heard of."""
    keys = read_participants(load_config(options.config).participants_file)
    marks = {name: fingerprint(key) for name, key in keys.items()}
    with memory(options) as store:
        members = {member.name: member for member in store.members()}
    rows, figures = [], []
    for name in sorted(marks.keys() | members.keys()):
        mark, member = marks.get(name), members.get(name)
        figures.append(
            {"name": name, "fingerprint": mark, **(asdict(member) if member is not None else {})}
        )
        seen: tuple[object, ...] = ("-", "-", 0, 0, "never heard of")
        if member is not None:
            last = (member.last_round or "-", member.accepted, member.refused, member.reason)
            seen = (moment(member.last_seen_s), *last)
        rows.append((name, mark or "not registered", *seen))
    answer({"participants": figures}, as_json=options.format == "json", text=table(HEADINGS, rows))
    return 0
