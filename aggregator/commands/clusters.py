"""``vad-aggregator clusters``: who is with whom, and why.

Whoever was deleted from the list of participants is left out at once. A running aggregator reads
the list when it starts: until its next start it still believes them, and they count.
"""

from __future__ import annotations

import argparse

from aggregator.cluster_report import as_json, headline, read_report, rows
from aggregator.commands.report import answer, memory, table
from aggregator.config import load_config
from aggregator.participants import registered
from aggregator.strategies.registry import make_strategy
from edge.errors import ConfigError

PICTURES = (".png", ".jpg", ".jpeg")


def run(options: argparse.Namespace) -> int:
    """Read the store once; draw where that is asked for."""
    if options.plot is not None and options.plot.suffix not in PICTURES:
        raise ConfigError(f"--plot {options.plot}: a picture ends in {', '.join(PICTURES)}")
    config = load_config(options.config)
    strategy = make_strategy(config.strategy.name, **config.strategy.options)
    names = registered(config.participants_file)
    with memory(options) as store:
        report = read_report(store, strategy, names)
    if options.plot is not None:
        from aggregator.cluster_plot import draw_clusters, write_picture  # OpenCV takes a while

        write_picture(options.plot, draw_clusters(report))
    text = headline(report)
    if report.members:
        text += "\n\n" + table(*rows(report))
    answer(as_json(report), as_json=options.format == "json", text=text)
    return 0
