"""``vad-aggregator rounds``: the latest rounds."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from aggregator.commands.report import answer, memory, moment, table

HEADINGS = ("round", "phase", "began", "ended", "updates", "examples", "extended", "model")


def run(options: argparse.Namespace) -> int:
    """Read the store once."""
    with memory(options) as store:
        rounds = store.rounds(options.limit)
    rows = [
        (
            one.number,
            one.phase if one.ended_s is None else "over",
            moment(one.began_s),
            moment(one.ended_s),
            one.num_updates,
            one.num_examples,
            one.extensions,
            one.fingerprint,
        )
        for one in rounds
    ]
    figures = {"rounds": [asdict(one) for one in rounds]}
    answer(figures, as_json=options.format == "json", text=table(HEADINGS, rows))
    return 0
