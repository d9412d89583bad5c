"""From the folder of a public set to what distillation takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from aggregator.public.folder import Entry, Part, PublicFolder
from aggregator.public.videos import PublicSet, PublicVideo
from aggregator.public.watching import Views
from edge.domain.boxes import Floats
from edge.domain.features import FeatureSpec
from edge.domain.objects import counts_of
from edge.domain.weights import Shares
from edge.errors import DatasetError, FeatureVersionError
from edge.model.spec import Head
from edge.scoring.learn import LEAST_ROWS
from edge.scoring.standardise import Standardiser
from edge.scoring.student import INPUTS, input_spec

AGAIN = "run `vad-aggregator public add` again for all videos"


def read_public(folder: Path) -> PublicSet:
    """The videos that are ready, their features standardised by camera as hosts do.

    Raises DatasetError where there is no such set, or its videos were made otherwise than each
    other; FeatureVersionError where this program measures other features.
    """
    public = PublicFolder(folder)
    classes = public.classes()
    entries = [entry for entry in public.entries() if entry.state == "ready"]
    _check_alike(folder, entries)
    sights = {entry.name: _kept(public, entry, "seen") for entry in entries}
    values = _standardised(_head(entries), entries, sights) if entries else {}
    return PublicSet(
        classes,
        tuple(
            PublicVideo(
                name=entry.name,
                abnormal=entry.label.abnormal,
                category=entry.category,
                objects=shares_of(sights[entry.name].about["objects"], classes),
                caption=entry.caption,
                values=values[entry.name],
                visual=_visual(public, entry, sights[entry.name], values[entry.name]),
                text=_kept(public, entry, "text").arrays["text"],
            )
            for entry in entries
        ),
    )


def shares_of(objects: Mapping[str, int], classes: tuple[str, ...]) -> Shares:
    """What share of a video's objects each of C classes has, (C,); all 0 where it shows none."""
    counts = counts_of(objects, classes)
    return np.asarray(counts / max(counts.sum(), 1), np.float32)


def _standardised(
    head: Head, entries: Sequence[Entry], sights: Mapping[str, Part]
) -> Mapping[str, Floats]:
    """The rows of each video (m, d), compared with what is usual for its camera.

    What is usual is learnt from the camera's videos that are not labelled abnormal; where these
    have fewer than ``LEAST_ROWS``, from all of its videos; where these have, from the whole set.
    """
    spec = input_spec(head)
    usual: dict[str, Standardiser] = {}
    by_camera: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_camera[entry.camera].append(entry)
    for camera, own in by_camera.items():
        quiet = [entry for entry in own if not entry.label.abnormal]
        usual[camera] = _fitted(spec, sights, (quiet, own, entries))
    return {
        entry.name: usual[entry.camera].apply(
            sights[entry.name].arrays["values"], sights[entry.name].arrays["place"]
        )
        for entry in entries
    }


def _fitted(
    spec: FeatureSpec, sights: Mapping[str, Part], choices: Sequence[Sequence[Entry]]
) -> Standardiser:
    """Of the first choice that has rows enough, or of the last."""
    for chosen in choices:
        parts = [sights[entry.name].arrays for entry in chosen]
        if sum(len(part["values"]) for part in parts) >= LEAST_ROWS or chosen is choices[-1]:
            break
    values = np.concatenate([part["values"] for part in parts])
    return Standardiser.fit(spec, values, np.concatenate([part["place"] for part in parts]))


def _head(entries: Sequence[Entry]) -> Head:
    made_of = entries[0].made_of
    head: Head = made_of["head"]
    computed = [spec.spec_version for spec in INPUTS[head]]
    if made_of["seen"]["spec_versions"] != computed:
        raise FeatureVersionError(
            f"public videos: made of {made_of['seen']['spec_versions']}, this program measures "
            f"{computed}; {AGAIN}"
        )
    return head


def _visual(public: PublicFolder, entry: Entry, sight: Part, values: Floats) -> Floats:
    """What the visual network saw when each row ended, (m, v); without one the rows themselves."""
    if "visual" not in entry.keys:
        return values
    part = _kept(public, entry, "visual")
    return Views(part.arrays["visual"], part.arrays["frame"]).at(sight.arrays["frame"])


def _kept(public: PublicFolder, entry: Entry, kind: str) -> Part:
    part = public.kept(entry.name, kind, entry.keys[kind])
    if part is None:
        raise DatasetError(
            f"{public.path}: {entry.name}: its {kind} part is gone or being made anew; {AGAIN}"
        )
    return part


def _check_alike(folder: Path, entries: Sequence[Entry]) -> None:
    others = [entry.name for entry in entries if entry.made_of != entries[0].made_of]
    if others:
        raise DatasetError(
            f"{folder}: {', '.join(others[:5])}{' and more' if len(others) > 5 else ''} made "
            f"otherwise than {entries[0].name}, so they cannot be compared; {AGAIN}, or delete "
            "the folders of those that are not wanted"
        )
