"""The figures of the benchmark of words as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tests.benchmarks.street_clips import TERMS

Row = Mapping[str, Any]


def tables(found: Row) -> str:
    """All tables that the results so far allow."""
    parts = [_aucs(found), *(_matrix(found, terms) for terms in TERMS)]
    return "\n\n".join([*parts, _sentences(found), _rare(found), _costs(found)])


def _aucs(found: Row) -> str:
    """Learnt and tested on the same scene."""
    lines = ["frame AUC %, micro causal, same scene", f"{'':10}" + _heads(TERMS)]
    pairs = {key: _pair(name) for name in found if (key := name).startswith("auc ")}
    own = {key: pair for key, pair in pairs.items() if pair[1] == pair[2]}
    for kind in [*dict.fromkeys(pair[0] for pair in own.values()), "all"]:
        rows = [found[key] for key, pair in own.items() if kind in (pair[0], "all")]
        lines.append(f"{kind:10}" + "".join(_mean_sd(100 * row[t] for row in rows) for t in TERMS))
    return "\n".join(lines)


def _matrix(found: Row, terms: str) -> str:
    """Rows: the scene that was learnt; columns: the scene that was tested."""
    lines = [f"cross-scene AUC %, {terms}: learnt on the row's scene, tested on the column's"]
    crossed = [_pair(name) for name in found if name.startswith("auc ")]
    for kind in dict.fromkeys(kind for kind, *_ in crossed):
        scenes = sorted({b for k, a, b in crossed if k == kind and a != b})
        lines.append(f"{kind:10}" + "".join(f"{scene:>8}" for scene in scenes))
        for learnt in scenes:
            values = [
                100 * found.get(f"auc {kind} {learnt} {tested}", {}).get(terms, np.nan)
                for tested in scenes
            ]
            lines.append(f"{learnt:>10}" + "".join(f"{value:8.1f}" for value in values))
    pairs = [(a == b, found[f"auc {k} {a} {b}"][terms]) for k, a, b in crossed]
    other = _mean_sd(100 * value for same, value in pairs if not same)
    return "\n".join([*lines, f"other scenes together {other}"])


def _sentences(found: Row) -> str:
    lines = [
        "one sentence: median peak score of a pass and share of passes that alarm, before -> after"
    ]
    names = dict.fromkeys(n.rsplit(" ", 1)[0] for n in found if n.startswith("said "))
    for name in names:
        rows = [row for key, row in found.items() if key.rsplit(" ", 1)[0] == name]
        lines.append(f"{name.removeprefix('said ')}")
        for who in ("it", "others"):
            before, after = (_weighted([row[when][who] for row in rows]) for when in WHENS)
            lines.append(f"    {who:8}{before} -> {after}")
        calm = [np.mean([row[when]["nobody"]["score"] for row in rows]) for when in WHENS]
        lines.append(f"    nobody  mean score {calm[0]:.2f} -> {calm[1]:.2f}")
    return "\n".join(lines)


WHENS = ("before", "after")


def _rare(found: Row) -> str:
    rows = [row for name, row in found.items() if name.startswith("rare ")]
    if not rows:
        return "no rare action yet"
    share = np.mean([row["share"] for row in rows])
    lines = [f"a normal action seen in {share:.2%} of the training footage's objects"]
    for name in [name for name in rows[0] if name != "share"]:
        acts = rows[0][name]
        told = [f"{act}: {_weighted([row[name][act] for row in rows])}" for act in acts]
        lines.append(f"{name:20}" + "   ".join(told))
    return "\n".join(lines)


def _costs(found: Row) -> str:
    lines = ["cost in CPU ms, one thread; cameras at 5 Hz for each core, decoding left out"]
    for name, row in found.items():
        if not name.startswith("cost "):
            continue
        lines.append(
            f"{name.removeprefix('cost '):20}{row['ms_per_crop']:.2f} a crop, "
            f"{row['ms_per_act']:.3f} to fuse, {row['ms_per_segment']:.2f} an object segment"
        )
        for when in ("none", "budget", "all"):
            each = row[when]
            looks = f", {each['looks_per_s']:.1f} looks/s" if "looks_per_s" in each else ""
            ratio = each["ms_per_frame"] / row["none"]["ms_per_frame"]
            lines.append(
                f"    {when:8}{each['ms_per_frame']:8.2f} a frame ({ratio:.2f}x), "
                f"{each['cameras_per_core']:.1f} cameras a core{looks}"
            )
    return "\n".join(lines)


def _pair(name: str) -> tuple[str, int, int]:
    _, kind, learnt, tested = name.split(" ")
    return kind, int(learnt), int(tested)


def _weighted(rows: Iterable[Row]) -> str:
    """Over all passes of all seeds: the mean of the medians, and the share that alarm."""
    kept = [row for row in rows if row["passes"]]
    if not kept:
        return "no pass"
    count = sum(row["passes"] for row in kept)
    score = sum(row["passes"] * row["score"] for row in kept) / count
    alarmed = sum(row["passes"] * row["alarmed"] for row in kept) / count
    return f"{score:.2f}, {alarmed:.0%} of {count}"


def _heads(names: Iterable[str]) -> str:
    return "".join(f"{name:>14}" for name in names)


def _mean_sd(values: Iterable[float]) -> str:
    found = np.array(list(values))
    if not len(found):
        return f"{'-':>14}"
    spread = found.std(ddof=1) if len(found) > 1 else 0.0
    return f"{found.mean():8.1f} ± {spread:3.1f}"
