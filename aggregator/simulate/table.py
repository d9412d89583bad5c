"""What a simulation found: a row per method, mean ± standard deviation over the seeds.

The figure of a run is its last round's: never the best round's, and no run is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aggregator.simulate.problem import OWN_AUC
from aggregator.simulate.run import Run

HEADLINE = "auc_micro_causal"
SHOWN = {
    "auc_micro_causal": "micro causal",
    "auc_macro_causal": "macro causal",
    "auc_participants_causal": "participants",
    "auc_student_micro_causal": "student micro",
    "auc_micro_segment": "micro segment",
    "purity": "purity",
}
"""Columns of the text; a cell is blank where a data set has no such figure."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and sample standard deviation over seeds; NaN where not defined."""

    mean: float
    sd: float  # 0 for a single seed

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of one or more values."""
        return cls(
            float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        )

    def as_json(self) -> dict[str, float | None]:
        """NaN is null."""
        return {"mean": _finite(self.mean), "sd": _finite(self.sd)}


@dataclass(frozen=True, slots=True)
class Row:
    """One method in one setting."""

    setting: str
    method: str
    labelled_share: float
    participants: int
    parameters: int
    seeds: int
    figures: Mapping[str, Spread]  # of the last round
    judged: Sequence[int]  # rounds, the last one last
    per_round: Sequence[Mapping[str, Spread]]  # of those
    clusters: Sequence[Mapping[int, Sequence[str]]]  # of the last round: members by label, per seed
    bytes_up_per_round: float  # per participant, mean over rounds and seeds
    refused: Sequence[str]  # updates that were not taken, of all seeds, once each

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "setting": self.setting,
            "method": self.method,
            "labelled_share": self.labelled_share,
            "participants": self.participants,
            "parameters": self.parameters,
            "seeds": self.seeds,
            **_named(self.figures),
            "clusters": [{str(k): list(v) for k, v in each.items()} for each in self.clusters],
            "bytes_up_per_round": round(self.bytes_up_per_round),
            "judged": list(self.judged),
            "per_round": [_named(figures) for figures in self.per_round],
            "refused": list(self.refused),
        }


def rows_of(setting: str, runs: Sequence[Run]) -> list[Row]:
    """One row per share of labels and method, in the order in which they first appear."""
    groups: dict[tuple[float, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.job.labelled_share, run.job.method), []).append(run)
    return [_row(setting, group) for group in groups.values()]


def as_text(dataset: str, rows: Sequence[Row], left_out: Sequence[str]) -> str:
    """A table for a person; clusters are those of the first seed."""
    head = f"{'setting':18} {'method':22} " + " ".join(f"{title:>13}" for title in SHOWN.values())
    lines = [
        f"{dataset}: AUC % after the last round, mean ± sd over {rows[0].seeds} seeds, "
        f"{rows[0].participants} participants, {rows[0].parameters} parameters",
        f"{head} {'KB up/round':>12}",
    ]
    for row in rows:
        setting = row.setting
        if setting == "partial":
            setting += f" {row.labelled_share:.0%}"
        cells = " ".join(f"{_percent(row.figures.get(name)):>13}" for name in SHOWN)
        size = f"{row.bytes_up_per_round / 1000:>12.1f}"
        lines.append(f"{setting:18} {row.method:22} {cells} {size}")
        lines += [f"    cluster {k}: {', '.join(who)}" for k, who in row.clusters[0].items()]
        lines += [f"    refused: {what}" for what in row.refused[:3]]
    lines += [f"left out: {what}" for what in left_out[:20]]
    if left_out[20:]:
        lines.append(f"left out: {len(left_out) - 20} more; --format json lists all")
    return "\n".join(lines)


def _row(setting: str, runs: Sequence[Run]) -> Row:
    first = runs[0]
    per_round = [
        {name: Spread.of([figures[name] for figures in each]) for name in each[0]}
        for each in zip(*([r.figures for r in run.rounds] for run in runs), strict=True)
    ]
    return Row(
        setting=setting,
        method=first.job.method,
        labelled_share=first.job.labelled_share,
        participants=first.participants,
        parameters=first.parameters,
        seeds=len(runs),
        figures=per_round[-1],
        judged=[r.number for r in first.rounds],
        per_round=per_round,
        clusters=[run.rounds[-1].clusters for run in runs],
        bytes_up_per_round=float(np.mean([run.bytes_up_per_round for run in runs])),
        refused=tuple(dict.fromkeys(w for run in runs for r in run.rounds for w in r.refused)),
    )


def _named(figures: Mapping[str, Spread]) -> dict[str, Any]:
    """Plain values; the participants' own figures stand together."""
    plain = {name: each.as_json() for name, each in figures.items()}
    own = {name.removeprefix(OWN_AUC): plain.pop(name) for name in figures if OWN_AUC in name}
    return {**plain, "auc_by_participant": own}


def _percent(spread: Spread | None) -> str:
    if spread is None:
        return ""
    if not math.isfinite(spread.mean):
        return "-"
    return f"{100 * spread.mean:.2f} ± {100 * spread.sd:.2f}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
