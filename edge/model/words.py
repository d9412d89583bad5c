"""A word model: what a camera sees of an object and what people write, in one space of vectors.

::

    manifest.json         what it is, licences, sha256 of the rest
    backbone/             the image tower, on crops (``edge.model.backbone``)
    prompts.safetensors   the action prompts, embedded (``edge.model.text``)
    golden.safetensors    a few tubes of embeddings and their action features, texts and theirs
    tfc.onnx              if it has one: embeddings (N, n, d), oldest first, to (N, d)
    text/                 if it has one: the text tower (``edge.model.tokens``)

Read strictly and without torch: nobody gets a word model whose parts do not reproduce the golden
features; that the image tower does is the backbone's own to prove. Folders appear whole.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from safetensors import SafetensorError
from safetensors.numpy import load, save

from edge.domain.boxes import Floats
from edge.domain.segment import SEGMENT_FRAMES
from edge.errors import ModelError
from edge.features.embedding import Picture
from edge.model import tokens
from edge.model.backbone import Backbone, load_backbone
from edge.model.folder import (
    MANIFEST,
    damaged,
    read_files,
    read_folder,
    read_manifest,
    sha256,
    write_folder,
)
from edge.model.runtime import RUNTIME_ERRORS, open_session
from edge.model.text import TextEmbeddings, load_text, save_text
from edge.model.tokens import TextTower

FORMAT = "vad-words-1"
BACKBONE, TEXT = "backbone", "text"
TFC, PROMPTS, GOLDEN = "tfc.onnx", "prompts.safetensors", "golden.safetensors"
FILES = {PROMPTS, GOLDEN, f"{BACKBONE}/{MANIFEST}"}  # that every manifest vouches for
TEXT_FILES = {f"{TEXT}/{tokens.GRAPH}", f"{TEXT}/{tokens.TOKENIZER}"}
INPUT, OUTPUT = "embeddings", "fused"  # of the temporal part

ALPHA = 0.7  # of the temporal part in the feature, 1 - ALPHA of the middle crop (SVAD, 4.2)
LEAST_COSINE = 0.999  # between a golden vector and the one that is found here
TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True, slots=True)
class WordSpec:
    """What a word model is."""

    name: str  # "ViT-B-16"
    width: int  # d of crops, prompts, texts
    frames: int = SEGMENT_FRAMES  # n crops of an object segment
    alpha: float = ALPHA

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not all(type(size) is int and size > 0 for size in (self.width, self.frames)):
            raise ModelError("word model: width and frames must be whole numbers above 0")
        if not 0 <= self.alpha <= 1:
            raise ModelError(f"word model: alpha {self.alpha} is not from 0 to 1")


@dataclass(frozen=True, slots=True, eq=False)
class GoldenWords:
    """What the networks made of a few inputs when they were exported."""

    tubes: Floats  # (G, n, d) embeddings of crops
    features: Floats  # (G, d) L2-normalised
    texts: tuple[str, ...] = ()  # T of them where there is a text tower
    read: Floats | None = None  # (T, d) L2-normalised


class WordModel:
    """A checked word model; several threads may share it."""

    def __init__(
        self,
        spec: WordSpec,
        backbone: Backbone,
        prompts: TextEmbeddings,
        *,
        version: str,
        tfc: ort.InferenceSession | None = None,
        tower: TextTower | None = None,
    ) -> None:
        """Raises ModelError where the parts are of different widths or the backbone takes clips."""
        if backbone.frames != 1:
            raise ModelError(f"{backbone.folder}: a network of clips; crops are single pictures")
        if not spec.width == backbone.width == prompts.embeddings.shape[1]:
            raise ModelError(
                f"{spec.name}: pictures of {backbone.width} numbers, prompts of "
                f"{prompts.embeddings.shape[1]}, {spec.width} promised: not of one model"
            )
        self.spec, self.backbone, self.prompts, self.version = spec, backbone, prompts, version
        self._tfc, self._tower = tfc, tower

    @property
    def frames(self) -> int:
        """Crops of an object segment, n."""
        return self.spec.frames

    @property
    def width(self) -> int:
        """Of an embedding, d."""
        return self.spec.width

    @property
    def reads(self) -> bool:
        """Whether a text tower is here."""
        return self._tower is not None

    def prepare(self, picture: Picture) -> Floats:
        """A picture of any size as one input, (3, H, W)."""
        return self.backbone.prepare(picture)

    def embed(self, prepared: Floats) -> Floats:
        """N prepared pictures, (N, 1, 3, H, W) → (N, d), before any normalisation (Eq. 1)."""
        return self.backbone.embed(prepared)

    def act(self, embeddings: Floats) -> Floats:
        """Crops of N objects, oldest first, (N, n, d) → action features F (N, d), L2-normalised.

        SVAD, Eq. 2: alpha TFC(F_1, …, F_n) + (1 - alpha) F_middle, each of length 1. Without a
        temporal part, the mean of the n embeddings stands in its place. Raises ModelError where
        the temporal part does not run.
        """
        tubes = normalised(embeddings)
        fused = self._fused(self._tfc, tubes) if self._tfc else tubes.mean(axis=1)
        middle = tubes[:, self.frames // 2]
        return normalised(self.spec.alpha * normalised(fused) + (1 - self.spec.alpha) * middle)

    def read(self, texts: Sequence[str]) -> Floats | None:
        """Any sentences, (T, d) L2-normalised; None: no text tower is here."""
        return normalised(self._tower.read(texts)) if self._tower else None

    def _fused(self, tfc: ort.InferenceSession, tubes: Floats) -> Floats:
        if tubes.shape[1:] != (self.frames, self.width):
            raise ModelError(f"{self.spec.name}: tubes {tubes.shape}, n {self.frames}")
        if not len(tubes):
            return np.zeros((0, self.width), np.float32)
        try:
            (fused,) = tfc.run([OUTPUT], {INPUT: tubes})
        except RUNTIME_ERRORS as error:
            raise _broken(f"{TFC} does not run ({str(error).splitlines()[0]})") from error
        if fused.shape != (len(tubes), self.width):
            raise _broken(f"{TFC} gives {fused.shape} for {tubes.shape}")
        return np.asarray(fused, np.float32)


def normalised(vectors: Floats) -> Floats:
    """(..., d) at length 1; what has no length stays as it is."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, TINY), np.float32)


def save_words(
    folder: Path,
    spec: WordSpec,
    *,
    backbone: Backbone,
    prompts: TextEmbeddings,
    golden: GoldenWords,
    tfc: bytes | None = None,
    text: Mapping[str, bytes] | None = None,
    licences: Sequence[str],
    provenance: Mapping[str, str | int | float],
) -> WordModel:
    """Write a word model, check it, rename it into place; ``folder`` must not exist yet.

    ``tfc`` is a graph; ``text`` holds the files of a text tower by name. Raises ModelError where
    the parts miss the golden vectors, StorageError where the folder cannot be written.
    """
    files = {f"{BACKBONE}/{name}": part for name, part in read_folder(backbone.folder).items()}
    files |= {f"{TEXT}/{name}": part for name, part in (text or {}).items()}
    files |= {PROMPTS: _prompts_bytes(prompts), GOLDEN: _golden_bytes(golden)}
    if tfc is not None:
        files[TFC] = tfc
    manifest = {
        "format": FORMAT,
        "words": asdict(spec),
        "golden_texts": list(golden.texts),
        "files": {name: sha256(content) for name, content in files.items()},
        "licences": list(licences),
        "provenance": dict(provenance),
    }

    def check(written: Path) -> dict[str, Any]:
        cosine = _checked(_opened(written, manifest, files), golden)
        return manifest | {"golden": {"tubes": len(golden.tubes), "least_cosine": cosine}}

    write_folder(folder, files, check)
    return load_words(folder)


def load_words(folder: Path) -> WordModel:
    """Read and check a word model; raises ModelError for a missing, damaged or foreign one."""
    manifest = read_manifest(folder, FORMAT, FILES)
    files = read_files(folder, manifest)
    try:
        arrays = load(files[GOLDEN])
        texts = tuple(map(str, manifest["golden_texts"]))
        golden = GoldenWords(arrays["tubes"], arrays["features"], texts, arrays.get("read"))
        model = _opened(folder, manifest, files)
    except (SafetensorError, LookupError, TypeError, ValueError) as error:
        raise damaged(folder, f"incomplete ({error})") from error
    _checked(model, golden)
    return model


def _opened(folder: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> WordModel:
    """All parts of a folder; raises ModelError, LookupError or TypeError where they are none."""
    spec = WordSpec(**manifest["words"])
    backbone = load_backbone(folder / BACKBONE)
    # all that an action feature depends on; other prompts need no other features
    identity = json.dumps([asdict(spec), backbone.version, manifest["files"].get(TFC)])
    return WordModel(
        spec,
        backbone,
        load_text(folder / PROMPTS),
        version=sha256(identity.encode())[:12],
        tfc=_temporal(folder / TFC) if TFC in files else None,
        tower=TextTower(folder / TEXT, spec.width) if files.keys() >= TEXT_FILES else None,
    )


def _temporal(path: Path) -> ort.InferenceSession:
    session = open_session(path)
    inputs = [(entry.name, len(entry.shape)) for entry in session.get_inputs()]
    outputs = [entry.name for entry in session.get_outputs()]
    if inputs != [(INPUT, 3)] or outputs != [OUTPUT]:
        raise ModelError(f"{path}: takes {inputs}, gives {outputs}: no temporal part")
    return session


def _checked(model: WordModel, golden: GoldenWords) -> float:
    """The least cosine with the golden vectors; raises ModelError where it is too small."""
    cosine = _least_cosine(model.act(golden.tubes), golden.features)
    if (read := model.read(golden.texts)) is not None and golden.read is not None:
        cosine = min(cosine, _least_cosine(read, golden.read))
    if not cosine >= LEAST_COSINE:
        raise _broken(f"golden vectors are met to a cosine of {cosine:.4f}, not {LEAST_COSINE}")
    return cosine


def _least_cosine(found: Floats, wanted: Floats) -> float:
    if found.shape != wanted.shape or not len(found):
        raise _broken(f"golden vectors {wanted.shape}, found {found.shape}")
    return float((normalised(found) * normalised(wanted)).sum(axis=1).min())


def _prompts_bytes(prompts: TextEmbeddings) -> bytes:
    with tempfile.TemporaryDirectory(prefix="vad-words-") as folder:
        save_text(Path(folder, PROMPTS), prompts)
        return Path(folder, PROMPTS).read_bytes()


def _golden_bytes(golden: GoldenWords) -> bytes:
    arrays = {"tubes": golden.tubes, "features": golden.features}
    if golden.read is not None:
        arrays["read"] = golden.read
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def _broken(what: str) -> ModelError:
    return ModelError(f"word model: {what}; export it again")
