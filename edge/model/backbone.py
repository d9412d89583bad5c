"""A backbone: the exported network that turns pictures into embeddings, run without torch.

::

    manifest.json        what it takes and gives, licences, parity, sha256 of the rest
    backbone.onnx        pictures (N, 3, H, W), or clips (N, 3, T, H, W), to embeddings (N, d)
    golden.safetensors   a few pictures, and the embeddings that the original computed for them

Read strictly: nobody gets a backbone whose graph does not reproduce the golden embeddings as
closely as its precision promises. Folders appear whole, by renaming.

Whoever changes what ``BackboneSpec.prepare`` computes, by more than rounding, must raise the
revisions in ``edge.features.embedding`` and ``edge.features.actions``: what was learnt from other
inputs must not be compared with these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import cv2
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from edge.domain.boxes import Floats
from edge.errors import ModelError
from edge.features.embedding import Picture
from edge.model.folder import damaged, read_files, read_manifest, sha256, write_folder
from edge.model.runtime import RUNTIME_ERRORS, open_session

FORMAT = "vad-backbone-1"
GRAPH, GOLDEN = "backbone.onnx", "golden.safetensors"
FILES = {GRAPH, GOLDEN}
INPUT, OUTPUT = "pictures", "embeddings"
WEIGHTS = "weights_sha256"  # in the provenance: which network this is, in whatever precision
AT_ONCE = 16  # clips in one run: bounds memory; on a CPU a larger batch saves nothing per clip

Precision: TypeAlias = Literal["fp32", "fp16", "int8"]
LEAST_COSINE: Mapping[Precision, float] = {"fp32": 0.9999, "fp16": 0.999, "int8": 0.95}
"""Between an embedding of the graph and the original's, by precision."""

INTERPOLATIONS = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """What a backbone is and how pictures become its input."""

    name: str  # "ViT-B-32"
    width: int  # d, of an embedding
    size_px: tuple[int, int]  # height and width of its input
    mean: tuple[float, float, float]  # of the colours in [0, 1], in the order of ``colour``
    std: tuple[float, float, float]
    frames: int = 1  # T of a clip; 1: it takes pictures
    colour: Literal["rgb", "bgr"] = "rgb"
    # stretch: the whole picture, its proportions lost; crop: its middle, the shorter side fitted
    resize: Literal["stretch", "crop"] = "stretch"
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"  # of what is enlarged
    precision: Precision = "fp32"

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        sizes = (self.width, self.frames, *self.size_px)
        if len(self.size_px) != 2 or not all(type(n) is int and n > 0 for n in sizes):
            raise _unusable("width, frames and the two sizes must be whole numbers above 0")
        if len(self.mean) != 3 or len(self.std) != 3 or not all(np.isfinite(self.mean)):
            raise _unusable("mean and std must be three finite numbers each")
        if not all(np.isfinite(self.std)) or not all(value > 0 for value in self.std):
            raise _unusable("std must be above 0")
        choices = (
            (self.colour, ("rgb", "bgr")),
            (self.resize, ("stretch", "crop")),
            (self.interpolation, INTERPOLATIONS),
            (self.precision, get_args(Precision)),
        )
        for given, known in choices:
            if given not in known:
                raise _unusable(f"{given!r} is none of {', '.join(known)}")

    def as_json(self) -> dict[str, Any]:
        """Only JSON types; ``from_json`` restores it."""
        fields = asdict(self)
        return fields | {name: list(fields[name]) for name in ("size_px", "mean", "std")}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> BackboneSpec:
        """Raises ModelError where a field is missing, unknown or of another type."""
        try:
            tuples = {name: tuple(fields[name]) for name in ("size_px", "mean", "std")}
            return cls(**dict(fields) | tuples)
        except (KeyError, TypeError) as error:
            raise _unusable(f"fields do not fit ({error})") from error

    def prepare(self, picture: Picture) -> Floats:
        """A picture of any size as one input, (3, H, W)."""
        fitted = self.fit(picture)
        order = (2, 1, 0) if self.colour == "rgb" else (0, 1, 2)
        prepared = np.empty((3, *self.size_px), np.float32)
        # colour by colour into its place: whole pictures of floats cost more than a small network
        for plane, colour, mean, std in zip(prepared, order, self.mean, self.std, strict=True):
            np.multiply(fitted[..., colour], np.float32(1 / (255 * std)), out=plane)
            plane -= np.float32(mean / std)
        return prepared

    def fit(self, picture: Picture) -> Picture:
        """A picture of any size in the network's own, (H, W, 3) BGR."""
        height, width = self.size_px
        if self.resize == "crop":
            picture = _middle(picture, width / height)
        # libraries that train networks smooth what they shrink; OpenCV does so by area alone, and
        # its other methods pick single pixels: 2-5 times further from what the network has learnt
        shrinks = picture.shape[0] > height and picture.shape[1] > width
        how = cv2.INTER_AREA if shrinks else INTERPOLATIONS[self.interpolation]
        return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class GoldenClips:
    """A few inputs of T pictures each, and what the original network makes of them."""

    clips: npt.NDArray[np.uint8]  # (G, T, H, W, 3) BGR, in the network's own size
    embeddings: Floats  # (G, d)


class Backbone:
    """A checked network that embeds; several threads may share it."""

    def __init__(
        self, folder: Path, spec: BackboneSpec, version: str, network: str | None = None
    ) -> None:
        """Raises ModelError where the graph is not one of this specification."""
        self.spec = spec
        self.version = version  # a short name for this very graph and how it is fed
        self.network = network  # its weights and how it is fed: the same in every precision
        self.folder = folder
        self._path = folder / GRAPH
        self._session = open_session(self._path, half=spec.precision == "fp16")
        inputs = [(entry.name, len(entry.shape)) for entry in self._session.get_inputs()]
        outputs = [entry.name for entry in self._session.get_outputs()]
        if inputs != [(INPUT, 4 if spec.frames == 1 else 5)] or outputs != [OUTPUT]:
            raise ModelError(f"{self._path}: takes {inputs}, gives {outputs}: no such backbone")

    @property
    def frames(self) -> int:
        """Pictures of one clip; 1: pictures are embedded by themselves."""
        return self.spec.frames

    @property
    def width(self) -> int:
        """Of an embedding."""
        return self.spec.width

    def prepare(self, picture: Picture) -> Floats:
        """A picture of any size as one input, (3, H, W)."""
        return self.spec.prepare(picture)

    def embed(self, prepared: Floats) -> Floats:
        """N clips of prepared pictures, (N, T, 3, H, W) → (N, d), before any normalisation."""
        found = np.zeros((len(prepared), self.width), np.float32)
        for begin in range(0, len(prepared), AT_ONCE):
            part = slice(begin, begin + AT_ONCE)
            found[part] = self._run(prepared[part])
        return found

    def _run(self, clips: Floats) -> Floats:
        feed = clips[:, 0] if self.frames == 1 else clips.swapaxes(1, 2)
        try:
            (embeddings,) = self._session.run([OUTPUT], {INPUT: np.ascontiguousarray(feed)})
        except RUNTIME_ERRORS as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"{self._path}: does not run ({reason}); export it again") from error
        if embeddings.shape != (len(clips), self.width):
            raise ModelError(f"{self._path}: {embeddings.shape} for {len(clips)} clips")
        return np.asarray(embeddings, np.float32)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How closely a graph reproduces golden embeddings."""

    max_abs_error: float
    least_cosine: float


def agreement(backbone: Backbone, golden: GoldenClips) -> Agreement:
    """Compare; raises ModelError where the golden clips are not of this backbone."""
    spec = backbone.spec
    if golden.clips.shape[1:] != (spec.frames, *spec.size_px, 3) or not len(golden.clips):
        raise ModelError(f"{spec.name}: golden clips {golden.clips.shape} are not of this backbone")
    prepared = np.stack([[spec.prepare(picture) for picture in clip] for clip in golden.clips])
    found, wanted = backbone.embed(prepared), golden.embeddings
    if found.shape != wanted.shape:
        raise ModelError(f"{spec.name}: golden embeddings {wanted.shape}, not {found.shape}")
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    cosine = (found * wanted).sum(axis=1) / np.maximum(lengths, np.finfo(np.float32).tiny)
    return Agreement(float(np.abs(found - wanted).max()), float(cosine.min()))


def save_backbone(
    folder: Path,
    spec: BackboneSpec,
    graph: bytes,
    golden: GoldenClips,
    *,
    licences: Sequence[str],
    provenance: Mapping[str, str | int | float],
) -> Backbone:
    """Write a backbone, check it, rename it into place; ``folder`` must not exist yet.

    Raises ModelError where it misses the golden embeddings, StorageError where it cannot be
    written.
    """
    golden_bytes = save({"clips": golden.clips, "embeddings": golden.embeddings})
    files = {GRAPH: graph, GOLDEN: golden_bytes}
    manifest = {
        "format": FORMAT,
        "backbone": spec.as_json(),
        "input": {"name": INPUT, "shape": _input_shape(spec), "dtype": "float32"},
        "output": {"name": OUTPUT, "shape": ["N", spec.width], "dtype": "float32"},
        "files": {name: sha256(content) for name, content in files.items()},
        "licences": list(licences),
        "provenance": dict(provenance),
    }

    def check(written: Path) -> dict[str, Any]:
        found = _checked(Backbone(written, spec, ""), golden)
        return manifest | {"golden": {"clips": len(golden.clips), **asdict(found)}}

    write_folder(folder, files, check)
    return load_backbone(folder)


def load_backbone(folder: Path) -> Backbone:
    """Read and check a backbone; raises ModelError for a missing, damaged or foreign one."""
    manifest = read_manifest(folder, FORMAT, FILES)
    files = read_files(folder, manifest)
    try:
        arrays = load(files[GOLDEN])
        golden = GoldenClips(arrays["clips"], arrays["embeddings"])
        spec = BackboneSpec.from_json(manifest["backbone"])
    except (SafetensorError, LookupError, TypeError, ValueError) as error:
        raise damaged(folder, f"incomplete ({error})") from error
    identity = json.dumps(spec.as_json(), sort_keys=True) + manifest["files"][GRAPH]
    weights = manifest["provenance"].get(WEIGHTS)
    network = None if weights is None else _network(spec, weights)
    backbone = Backbone(folder, spec, sha256(identity.encode())[:12], network)
    _checked(backbone, golden)
    return backbone


def _checked(backbone: Backbone, golden: GoldenClips) -> Agreement:
    found, allowed = agreement(backbone, golden), LEAST_COSINE[backbone.spec.precision]
    if not found.least_cosine >= allowed:
        raise ModelError(
            f"{backbone.spec.name}: golden embeddings are met to a cosine of "
            f"{found.least_cosine:.4f}, {backbone.spec.precision} promises {allowed}: "
            "export it again, or at a higher precision"
        )
    return found


def _network(spec: BackboneSpec, weights: str) -> str:
    """Names a network in any precision; fed in another way it is another one."""
    fed = {name: value for name, value in spec.as_json().items() if name != "precision"}
    return sha256((json.dumps(fed, sort_keys=True) + str(weights)).encode())[:12]


def _input_shape(spec: BackboneSpec) -> list[str | int]:
    return ["N", 3, *((spec.frames,) if spec.frames > 1 else ()), *spec.size_px]


def _middle(picture: Picture, aspect: float) -> Picture:
    """The largest middle part of a width to height ratio."""
    height, width = picture.shape[:2]
    wide, high = min(width, round(height * aspect)), min(height, round(width / aspect))
    left, top = (width - wide) // 2, (height - high) // 2
    return picture[top : top + max(high, 1), left : left + max(wide, 1)]


def _unusable(what: str) -> ModelError:
    return ModelError(f"backbone: {what}")
