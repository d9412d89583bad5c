"""A word model's folder out of CLIP's parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.domain.boxes import Floats
from edge.domain.segment import SEGMENT_FRAMES
from edge.errors import ModelError
from edge.model.backbone import FILES, FORMAT, Backbone
from edge.model.folder import read_manifest
from edge.model.text import TextEmbeddings
from edge.model.words import ALPHA, GoldenWords, WordModel, WordSpec, normalised, save_words
from export.words.clip import TEMPLATES, ClipText
from export.words.fusion_file import Trained

GOLDEN_TUBES = 4
GOLDEN_TEXTS = ("a person riding a bicycle", "Ein Hund läuft über die Straße.", "走る人")


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What a word model is put together from."""

    backbone: Backbone
    text: ClipText
    actions: Sequence[str]
    fusion: Trained | None = None
    text_tower: bool = False  # the host reads sentences by itself


def assemble(
    folder: Path, parts: Parts, told: Callable[[int], object] = lambda _: None
) -> WordModel:
    """Embed the prompts, check everything, write; ``told`` hears how many texts are done.

    Raises ModelError where the parts are not of one network, StorageError.
    """
    check_parts(parts)
    text, fusion = parts.text, parts.fusion
    facts = fusion.facts if fusion else None
    spec = WordSpec(
        text.name,
        parts.backbone.width,
        frames=facts.frames if facts else SEGMENT_FRAMES,
        alpha=facts.alpha if facts else ALPHA,
    )
    embeddings = text.prompts(parts.actions, told)
    return save_words(
        folder,
        spec,
        backbone=parts.backbone,
        prompts=TextEmbeddings(tuple(parts.actions), embeddings, text.name, text.both.tower),
        golden=_golden(spec, parts),
        tfc=fusion.graph() if fusion else None,
        text=text.files() if parts.text_tower else None,
        licences=text.both.image.licences,
        provenance=_provenance(parts),
    )


def check_parts(parts: Parts) -> None:
    """Refuse an image tower, or a temporal part, that is another network's."""
    name, origin = parts.text.name, _provenance_of(parts.backbone)
    digest, teacher = origin.get("weights_sha256"), origin.get("teacher")
    if digest != parts.text.both.tower and teacher != name:
        raise ModelError(
            f"{parts.backbone.folder}: an image tower of other weights than the text tower of "
            f"{parts.text.source}: export both with the same --pretrained"
        )
    fusion = parts.fusion
    if fusion and fusion.facts.backbone != parts.backbone.version:
        raise ModelError(
            f"--tfc: trained behind image tower {fusion.facts.backbone}, this is "
            f"{parts.backbone.version}: train it on a word model with this one"
        )


def _provenance_of(backbone: Backbone) -> Mapping[str, object]:
    return dict(read_manifest(backbone.folder, FORMAT, FILES).get("provenance", {}))


def _golden(spec: WordSpec, parts: Parts) -> GoldenWords:
    """Tubes that the temporal part was checked on; without one, any will do."""
    read = parts.text.read(GOLDEN_TEXTS) if parts.text_tower else None
    texts = GOLDEN_TEXTS if parts.text_tower else ()
    if parts.fusion:
        return GoldenWords(parts.fusion.tubes, parts.fusion.features(), texts, read)
    rng = np.random.default_rng(0)
    shape = (GOLDEN_TUBES, spec.frames, spec.width)
    tubes = normalised(rng.normal(size=shape).astype(np.float32))
    middle = tubes[:, spec.frames // 2]
    mean: Floats = normalised(tubes.mean(axis=1))
    features = normalised(spec.alpha * mean + (1 - spec.alpha) * middle)
    return GoldenWords(tubes, features, texts, read)


def _provenance(parts: Parts) -> dict[str, str | int | float]:
    return {
        "text": parts.text.source,
        "image": str(_provenance_of(parts.backbone).get("source", parts.backbone.spec.name)),
        "actions": len(parts.actions),
        "templates": len(TEMPLATES),
        "tfc": parts.fusion.facts.trained_on if parts.fusion else "none: the mean in its place",
    }
