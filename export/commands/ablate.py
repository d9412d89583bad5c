"""``vad-export ablate``: what each part of the method is worth, over several seeds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from edge.commands.report import answer, progress_bar
from edge.errors import ConfigError
from export.commands.stages import constants_of, read, sizes_of
from export.dakd.ablation import Ablation, Outcome, Row, make_rows, mean_and_spread
from export.dakd.judge import Figures
from export.dakd.network import NetworkSpec
from export.dakd.options import DistilOptions


def run(options: argparse.Namespace) -> int:
    """Train every row with every seed; one line for each row."""
    if options.student not in options.backbones:
        raise ConfigError(f"--student {options.student}: is none of --backbones")
    constants = constants_of(options, DistilOptions)
    features = read(options.features, options.backbones, judged=True)
    sizes = sizes_of(options)
    teacher = NetworkSpec(features.widths, **sizes)
    student = NetworkSpec(features.of(options.student).widths, **sizes)
    rows = make_rows(options.rows, teacher, student, constants)
    seeds = range(options.seed, options.seed + options.seeds)
    ablation = Ablation(features, options.student, window=options.window)
    outcomes = []
    with progress_bar("ablation", len(rows) * len(seeds), "training") as bar:
        for outcome in ablation.outcomes(rows, seeds):
            outcomes.append(outcome)
            bar.update()
    lines = [_line(row, [each for each in outcomes if each.row == row]) for row in rows]
    facts = {"seeds": list(seeds), "rows": lines, "left_out": list(features.left_out)}
    answer(facts, as_json=options.format == "json", text=_text(lines, len(seeds)))
    return 0


def _line(row: Row, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    teachers = [each.teacher for each in outcomes if each.teacher]
    return {
        "table": row.table,
        "row": row.name,
        "student": _means([each.student for each in outcomes]),
        "teacher": _means(teachers) if teachers else None,
    }


def _means(figures: Sequence[Figures]) -> dict[str, Any]:
    """Mean and standard deviation of each figure that is defined for every seed."""
    means: dict[str, Any] = {}
    for name in ("whole", "live"):
        values = [each.as_json()[name] for each in figures]
        defined = [value for value in values if value is not None]
        if len(defined) == len(values):
            mean, spread = mean_and_spread(defined)
            means[name] = {"mean": mean, "sd": spread, "each": defined}
    return means


def _text(lines: Sequence[dict[str, Any]], seeds: int) -> str:
    head = f"{'':34}{'student whole':>15}{'live':>15}{'teacher whole':>15}{'live':>15}"
    text = [f"AUC in %, mean ± sd of {seeds} seeds; whole: clips seen whole; live: window", head]
    for line in lines:
        cells = [
            _cell((line[who] or {}).get(name)) for who in ("student", "teacher") for name in VIEWS
        ]
        text.append(f"{line['table'] + ': ' + line['row']:34}" + "".join(cells))
    return "\n".join(text)


VIEWS = ("whole", "live")


def _cell(figure: dict[str, float] | None) -> str:
    if figure is None:
        return f"{'-':>15}"
    return f"{100 * figure['mean']:8.2f} ± {100 * figure['sd']:4.2f}"
