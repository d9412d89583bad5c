"""Data sets by name: what the command line may ask for, read with a bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from tqdm import tqdm

from aggregator.simulate.features import FeatureClips
from aggregator.simulate.problem import Scenario
from aggregator.simulate.splits import Owners, read_owners
from aggregator.simulate.streets import Streets
from aggregator.simulate.tracks_normal import NormalTracks
from aggregator.simulate.tracks_weak import WeakTracks
from edge.errors import ConfigError

Dataset: TypeAlias = Literal["shanghaitech-tracks", "features", "streets"]
Item = TypeVar("Item")


def read_scenario(
    dataset: Dataset,
    root: Path | None,
    *,
    normal: bool,
    participants: str | None,
    public: str | None,
) -> Scenario:
    """Read the data set; raises DatasetError or ConfigError.

    ``participants`` is a number, FILE or FILE:KEY, None for the data set's own; ``public`` names
    the one of them whose clips the aggregator has. ``root`` is None for streets alone.
    """
    shown = partial(_shown, what="reading")
    if root is None:
        return Streets.read(normal=normal, progress=shown)
    owners = _owners(participants)
    if public is not None and (not isinstance(owners, Mapping) or public not in owners):
        raise ConfigError(f"--public {public}: --participants names no such owner of clips")
    if dataset == "features":
        return FeatureClips.read(root, normal=normal, owners=owners, progress=shown)
    if not normal:
        return WeakTracks.read(root, owners=owners, public=public, progress=shown)
    if isinstance(owners, int):
        raise ConfigError("--setting normal: whole cameras calibrate; say who owns which clip")
    return NormalTracks.read(root, owners=owners, public=public, progress=shown)


def _owners(participants: str | None) -> Owners | int | None:
    if participants is None:
        return None
    return int(participants) if participants.isdecimal() else read_owners(participants)


def _shown(items: Sequence[Item], *, what: str) -> Iterator[Item]:
    yield from tqdm(items, desc=what, disable=None)
