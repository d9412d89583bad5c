"""How features came to be, as far as whoever reads them must measure alike.

Read out of the record that extraction leaves beside them (``extract.json``), and taken along by
everything that learns from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from edge.errors import DatasetError, ModelError
from edge.features.embedding import Look
from edge.model.artifact import Sampling
from export.extract.shelf import RECORD, read_record


@dataclass(frozen=True, slots=True)
class Origin:
    """Equal origins, equal features of equal footage."""

    spec_versions: tuple[str, ...]  # of the groups that the columns are; they name the graph
    sampling: Sampling
    backbone: str | None  # its version; None: the descriptors that every host measures
    network: str | None  # of the backbone: the same in every precision
    look: Look | None  # of the backbone
    detector: str | None  # sha256, or ``motion``; None: objects play no part

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Out of ``extract.json``, or of what ``as_json`` gave.

        Raises LookupError, TypeError or ModelError where it says something else.
        """
        seen = record.get("look")
        return cls(
            spec_versions=tuple(map(str, record["spec_versions"])),
            sampling=Sampling(**record["footage"]),
            backbone=record["backbone"]["version"] if "backbone" in record else None,
            network=record["backbone"]["network"] if "backbone" in record else None,
            look=None if seen is None else Look(**seen),
            detector=record["objects"]["detector"] if "objects" in record else None,
        )

    def as_json(self) -> dict[str, Any]:
        """Only JSON types, under the names of ``extract.json``."""
        facts = {
            "backbone": {"version": self.backbone, "network": self.network}
            if self.backbone
            else None,
            "look": asdict(self.look) if self.look else None,
            "objects": {"detector": self.detector} if self.detector else None,
        }
        return {
            "spec_versions": list(self.spec_versions),
            "footage": asdict(self.sampling),
            **{name: fact for name, fact in facts.items() if fact is not None},
        }

    def differences(self, other: Origin) -> str:
        """What is not the same, as ``name this, not that``; empty where all is."""
        mine, theirs = self.as_json(), other.as_json()
        names = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
        return "; ".join(f"{name} {mine.get(name)}, not {theirs.get(name)}" for name in names)


def read_origin(folder: Path) -> Origin:
    """Of a feature folder; raises DatasetError where nothing there says it."""
    record = read_record(folder)
    if record is None:
        raise DatasetError(
            f"{folder}: no {RECORD} says how its features were made: name what "
            "`vad-export extract` wrote"
        )
    try:
        return Origin.from_json(record)
    except (LookupError, TypeError, ModelError) as error:
        raise DatasetError(f"{folder / RECORD}: incomplete ({error}); extract again") from error
