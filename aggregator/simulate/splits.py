"""Who owns which clip: files of participants, and random deals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from edge.errors import ConfigError, DatasetError

Owners: TypeAlias = Mapping[str, Sequence[str]]
"""Participant to the names of its clips, training and test clips alike."""

FORMS = (
    '{"participant": ["CLIP", ...]}, {"participant": {"CLIP": ...}}, [["CLIP", ...], ...], '
    'or {"train": one of these, "test": another}'
)


def read_owners(where: str) -> Owners:
    """Read ``FILE`` or ``FILE:KEY``; KEY names a part of the file, as ``clients/random_5``.

    The first step of KEY may lie one level down where only one place has it. Raises ConfigError
    for a file or KEY that is not there, DatasetError for a part of another form.
    """
    name, _, key = where.partition(":")
    try:
        part = json.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--participants {name}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"--participants {name}: no JSON ({error})") from error
    for step in key.split("/") if key else ():
        part = _step(part, step, where)
    return _owners(part, where)


def dealt(clips: Sequence[str], count: int, seed: int) -> Owners:
    """Deal the clips at random to ``count`` participants, as equally as can be.

    Raises ConfigError where there are fewer clips than participants.
    """
    if not 1 <= count <= len(clips):
        raise ConfigError(f"--participants {count}: there are {len(clips)} clips to deal")
    order = np.random.default_rng([seed, 0]).permutation(sorted(clips))
    digits = len(str(count - 1))
    return {f"{k:0{digits}}": sorted(order[k::count].tolist()) for k in range(count)}


def by_camera(clips: Iterable[str]) -> Owners:
    """Every camera owns the clips ``CC_...`` that it took."""
    owners: dict[str, list[str]] = {}
    for clip in sorted(clips):
        owners.setdefault(clip[:2], []).append(clip)
    return owners


def _step(part: Any, step: str, where: str) -> Any:
    if isinstance(part, dict) and step in part:
        return part[step]
    below = [v[step] for v in _values(part) if isinstance(v, dict) and step in v]
    if len(below) != 1:
        keys = ", ".join(part) if isinstance(part, dict) else "a list"
        raise ConfigError(f"--participants {where}: no single {step!r} there, but {keys:.300}")
    return below[0]


def _values(part: Any) -> list[Any]:
    return list(part.values()) if isinstance(part, dict) else []


def _owners(part: Any, where: str) -> dict[str, list[str]]:
    if isinstance(part, dict) and part.keys() == {"train", "test"}:
        halves = [_owners(half, where) for half in part.values()]
        names = dict.fromkeys([*halves[0], *halves[1]])
        return {k: [*halves[0].get(k, []), *halves[1].get(k, [])] for k in names}
    if isinstance(part, list):
        digits = len(str(len(part) - 1))
        part = {f"{k:0{digits}}": clips for k, clips in enumerate(part)}
    if not isinstance(part, dict) or not part:
        raise DatasetError(f"--participants {where}: expected {FORMS}")
    owners = {participant: _clips(clips, where) for participant, clips in part.items()}
    _check_single(owners, where)
    return owners


def _clips(clips: Any, where: str) -> list[str]:
    names = list(clips) if isinstance(clips, dict | list) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise DatasetError(f"--participants {where}: a participant without clips; expected {FORMS}")
    return names


def _check_single(owners: Mapping[str, Sequence[str]], where: str) -> None:
    seen: dict[str, str] = {}
    for participant, clips in owners.items():
        for clip in clips:
            if seen.setdefault(clip, participant) != participant:
                raise DatasetError(
                    f"--participants {where}: {clip} belongs to {seen[clip]} and to {participant}"
                )
