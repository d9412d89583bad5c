"""``vad-edge models``: the students that were adopted, why, and which one judges the cameras."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeAlias

from edge.commands.report import answer
from edge.compose import make_generations
from edge.config import load_config
from edge.errors import ModelError
from edge.generation import Generations, Pointer
from edge.generation_folder import Entry

Answer: TypeAlias = tuple[dict[str, Any], str]  # for a program, for a person

NOBODY = "none"  # how "no student" is written on the command line


def run(options: argparse.Namespace) -> int:
    """Answer, or point elsewhere; ``vad-edge run`` picks that up by itself."""
    generations = make_generations(load_config(options.config))
    figures, text = ACTIONS[options.action](generations, options)
    answer(figures, as_json=options.format == "json", text=text)
    return 0


def _list(generations: Generations, _options: argparse.Namespace) -> Answer:
    pointer = generations.current()
    rows = [_row(version, found, pointer) for version, found in generations.list()]
    lines = [f"{row['version']}  {row['state']:8}  {row['told']}" for row in rows]
    told = f"judging: {pointer.version or 'no student'}{_since(pointer)}: {pointer.reason}"
    figures = {"current": asdict(pointer), "generations": rows}
    return figures, "\n".join([*lines, told])


def _row(version: str, found: Entry | ModelError, pointer: Pointer) -> dict[str, Any]:
    if isinstance(found, ModelError):
        return {"version": version, "state": "damaged", "told": str(found)}
    state = {pointer.version: "judges", pointer.before: "before"}.get(version, "kept")
    return {"version": version, "state": state, "told": found.verdict.reason}


def _show(generations: Generations, options: argparse.Namespace) -> Answer:
    """All of one, after every check that stands before it may judge."""
    generation = generations.load(options.version)
    entry, artifact = generation.entry, generation.artifact
    thresholds = {name: model.threshold for name, model in generation.models.items()}
    budgets = [f"  camera {name}: {model.budget}" for name, model in generation.models.items()]
    shadows = [
        f"  camera {s.camera}: {s.candidate_alarms} alarms in {s.footage_s / 3600:.2g} h of "
        f"footage that taught nobody, {s.running_alarms} by what judged then"
        for s in entry.verdict.figures
    ]
    figures = {
        "version": entry.version,
        "created": _utc(entry.created_s),
        "student": artifact.spec.as_json() | {"version": entry.student},
        "provenance": dict(artifact.provenance),
        "verdict": entry.verdict.as_json(),
        "thresholds": thresholds,
    }
    head = f"{entry.version}: {artifact.spec.head} student, made {_utc(entry.created_s)}"
    origin = ", ".join(f"{name} {value}" for name, value in artifact.provenance.items())
    lines = [head, f"from: {origin or 'not told'}", entry.verdict.reason]
    return figures, "\n".join([*lines, *shadows, "thresholds:", *budgets])


def _rollback(generations: Generations, options: argparse.Namespace) -> Answer:
    reason = "rolled back by hand"
    if options.version is None:
        pointer = generations.roll_back(reason=reason)
    else:
        version = None if options.version == NOBODY else options.version
        pointer = generations.point_to(version, reason=reason)
    return asdict(pointer), f"judging: {pointer.version or 'no student'}: {pointer.reason}"


ACTIONS: Mapping[str, Callable[[Generations, argparse.Namespace], Answer]] = {
    "list": _list,
    "show": _show,
    "rollback": _rollback,
}


def _since(pointer: Pointer) -> str:
    return f", since {_utc(pointer.since_s)}" if pointer.since_s else ""


def _utc(time_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_s))
