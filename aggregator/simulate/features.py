"""The scenario of a folder of segment features; see ``edge.evaluation.feature_folder``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from aggregator.simulate.problem import Array, Problem, Video, labels_of_some
from aggregator.simulate.segments import SegmentBench, deal_clips, labelled_clip
from aggregator.simulate.splits import Owners, dealt, read_owners
from edge.domain.features import Feature, FeatureSpec
from edge.evaluation.feature_folder import FeatureFolder, Progress, read_features
from edge.scoring.standardise import Standardiser

DEFAULT_COUNT = 5  # participants of a random deal where nobody says how many
OWNERS = "participants.json"


@dataclass(frozen=True, slots=True, eq=False)
class FeatureClips:
    """Whole clips for either head: ``density`` where all footage is normal, else ``clap``."""

    folder: FeatureFolder
    owners: Owners | int
    normal: bool
    left_out: tuple[str, ...]

    @classmethod
    def read(
        cls,
        root: Path,
        *,
        normal: bool,
        owners: Owners | int | None = None,
        progress: Progress = iter,
    ) -> FeatureClips:
        """Read the folder; its own ``participants.json`` counts where ``owners`` is None.

        ``normal``: train on clips that no label calls abnormal, for ``density``.
        """
        folder = read_features(root, progress=progress)
        if owners is None:
            written = root / OWNERS
            owners = read_owners(str(written)) if written.exists() else DEFAULT_COUNT
        left_out = [*folder.left_out, *_misowned(folder, owners)]
        if normal:
            left_out += [f"train/{n}: abnormal" for n in folder.train if folder.abnormal.get(n)]
        return cls(folder, owners, normal, tuple(left_out))

    def problem(self, *, seed: int, labelled_share: float) -> Problem:
        """Deal the clips, by ``seed`` where the deal is random."""
        folder = self.folder
        videos = {
            name: Video(name, values, folder.abnormal.get(name))
            for name, values in folder.train.items()
            if not (self.normal and folder.abnormal.get(name))
        }
        tests = {
            name: labelled_clip(name, values, folder.labels[name], folder.starts(name))
            for name, values in folder.test.items()
        }
        owners = (
            dealt([*videos], self.owners, seed) if isinstance(self.owners, int) else self.owners
        )
        standardised = self.normal or folder.kind == "descriptor"
        prepare = _standardiser if standardised else None
        learning, panels, at_home = deal_clips(videos, tests, owners, prepare)
        if self.normal:
            panels = tuple(
                replace(panel, normal=np.concatenate([video.values for video in each.videos]))
                for panel, each in zip(panels, learning, strict=True)
            )
        return Problem(
            head="density" if self.normal else "clap",
            width=learning[0].videos[0].values.shape[1],
            participants=labels_of_some(learning, labelled_share, seed),
            bench=SegmentBench(panels, at_home=at_home),
        )

    def public(self) -> None:
        """There are no public videos."""


def _standardiser(rows: Array) -> Callable[[Array], Array]:
    """Robust: a few anomalies among the rows hardly move a median."""
    spec = FeatureSpec("features", 1, tuple(Feature(str(k), "") for k in range(rows.shape[1])))
    usual = Standardiser.fit(spec, rows, _anywhere(rows))
    return lambda values: usual.apply(values, _anywhere(values))


def _anywhere(values: Array) -> Array:
    return np.full((len(values), 2), 0.5, np.float32)  # a segment has no place in the picture


def _misowned(folder: FeatureFolder, owners: Owners | int) -> list[str]:
    """Clips that belong to nobody, or that somebody owns and the folder lacks."""
    if isinstance(owners, int):
        return []
    owned = {clip for clips in owners.values() for clip in clips}
    known = {*folder.train, *folder.test}
    nobody = [f"train/{name}: belongs to no participant" for name in folder.train.keys() - owned]
    missing = [f"{name}: a participant's clip without features" for name in owned - known]
    if owned & folder.test.keys():
        nobody += [f"test/{n}: belongs to no participant" for n in folder.test.keys() - owned]
    return sorted(nobody + missing)
