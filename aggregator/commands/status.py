"""``vad-aggregator status``: how the running round stands."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from aggregator.commands.report import answer, memory, moment


def run(options: argparse.Namespace) -> int:
    """Read the store once."""
    with memory(options) as store:
        running = store.running()
        assert running is not None  # ``memory`` has looked
        contributors = sorted({u.participant for u in store.updates_in(running.number)})
        statistics = len(store.statistics(running.number))
        members = store.members()
    figures = asdict(running) | {
        "accepted_from": contributors,
        "statistics": statistics,
        "participants": len(members),
    }
    text = (
        f"round {running.number}, {running.phase}, model {running.fingerprint}\n"
        f"began {moment(running.began_s)}, deadline {moment(running.deadline_s)}, "
        f"extended {running.extensions} times\n"
        f"updates of {len(contributors)}: {', '.join(contributors) or 'nobody yet'}\n"
        f"statistics of {statistics}; {len(members)} participants were ever heard of"
    )
    answer(figures, as_json=options.format == "json", text=text)
    return 0
