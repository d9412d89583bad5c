"""What makes features of segments: backbones, and the descriptors that every host measures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from edge.analysis import Extractor
from edge.domain.boxes import Floats, no_boxes
from edge.evaluation.feature_folder import Kind
from edge.features import scene_segment
from edge.features.embedding import Look, SceneEmbedding, View, embedding_spec
from edge.model.backbone import Backbone, load_backbone
from edge.scoring.scene_reel import SceneReel
from export.extract.watch import Seen

DESCRIPTORS = "descriptors"
"""The name of the built-in groups: scene-flow and scene-objects, 23 values, no network."""

Measure: TypeAlias = Callable[[Seen], Floats | None]
"""Takes in a video's next frame; the row (d,) of the segment that ends with it, if one does."""


class Describer(Protocol):
    """A way to describe segments; serves one video after the other."""

    @property
    def kind(self) -> Kind:
        """What the values are."""
        ...

    @property
    def follows(self) -> bool:
        """Whether it must be told what is followed in a frame."""
        ...

    def facts(self) -> dict[str, Any]:
        """All that its values depend on besides the footage, as JSON."""
        ...

    def begin(self) -> Measure:
        """For a new video."""
        ...


class Embeddings:
    """A backbone's view of segments."""

    kind: Kind = "embedding"

    def __init__(self, backbone: Backbone, view: View) -> None:
        """A network of clips sees the whole picture, whatever ``view`` says."""
        self._backbone = backbone
        self._look = Look.of(view if backbone.frames == 1 else "picture", backbone)

    @property
    def follows(self) -> bool:
        """Whether it looks at objects."""
        return self._look.view == "objects"

    def facts(self) -> dict[str, Any]:
        """Which graph, and what it is shown."""
        return {
            "backbone": {
                "name": self._backbone.spec.name,
                "version": self._backbone.version,
                "network": self._backbone.network,
            },
            "look": {"view": self._look.view, "frames": self._look.frames},
            "spec_versions": [embedding_spec(self._backbone, self._look).spec_version],
        }

    def begin(self) -> Measure:
        """See `Describer.begin`."""
        embedding = SceneEmbedding(self._backbone, self._look)

        def measure(seen: Seen) -> Floats | None:
            boxes = seen.percept.tracks.boxes_xyxy if seen.percept else no_boxes()
            found = embedding.observe(seen.frame, boxes)
            return found.values[0] if len(found) else None

        return measure


class Descriptors:
    """What a host measures anyway, taken at every sixteenth frame as a student takes it."""

    kind: Kind = "descriptor"
    follows = True

    def facts(self) -> dict[str, Any]:
        """Which revision of the computation."""
        return {"spec_versions": [spec.spec_version for spec in scene_segment.SPECS]}

    def begin(self) -> Measure:
        """See `Describer.begin`."""
        extractor, reel = Extractor(describing=True), SceneReel()

        def measure(seen: Seen) -> Floats | None:
            assert seen.percept is not None  # ``follows`` asked for it
            described = extractor.measure(seen.percept).described
            changed = reel.push(described, seen.frame.time_s)
            return reel.newest.values[0] if changed and reel.newest else None

        return measure


def load_describer(folder: Path | None, view: View) -> Describer:
    """The backbone of a folder, or the descriptors; raises ModelError where it cannot be used."""
    return Descriptors() if folder is None else Embeddings(load_backbone(folder), view)
