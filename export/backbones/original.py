"""The port of all families: a network in torch, and how pictures become its input."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from edge.domain.boxes import Floats
from edge.errors import ModelError
from edge.features.embedding import Picture
from edge.model.backbone import BackboneSpec

Choice = TypeVar("Choice")

RESIZE: Mapping[str, Literal["stretch", "crop"]] = {
    "shortest": "crop",  # open_clip's words
    "squash": "stretch",  # also timm's
    "center": "crop",  # timm's
}
INTERPOLATION: Mapping[str, Literal["bilinear", "bicubic"]] = {
    "bilinear": "bilinear",
    "bicubic": "bicubic",
}


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """A network as its library gives it, in evaluation mode."""

    module: torch.nn.Module  # (N, 3, H, W), or clips (N, 3, T, H, W), → (N, d), not normalised
    spec: BackboneSpec
    licences: tuple[str, ...]  # of the code and of the weights
    source: str  # where the weights come from

    def embed(self, clips: npt.NDArray[np.uint8]) -> Floats:
        """Clips (G, T, H, W, 3) BGR in the network's own size → (G, d), as torch computes them."""
        with torch.inference_mode():
            found = [
                self.module(torch.from_numpy(feed(self.spec, list(clip))[None])) for clip in clips
            ]
        return np.asarray(torch.cat(found).numpy(), np.float32)


def feed(spec: BackboneSpec, clip: Sequence[Picture]) -> Floats:
    """T pictures of any size as one input: (3, H, W) where T is 1, else (3, T, H, W)."""
    prepared = [spec.prepare(picture) for picture in clip]
    return prepared[0] if spec.frames == 1 else np.stack(prepared, axis=1)


def width_of(module: torch.nn.Module, frames: int, size_px: tuple[int, int]) -> int:
    """D of the embeddings; raises ModelError where a network gives anything but one vector."""
    clip = (frames,) if frames > 1 else ()
    with torch.inference_mode():
        found = module(torch.zeros(1, 3, *clip, *size_px))
    if not isinstance(found, torch.Tensor) or found.ndim != 2:
        raise ModelError("the network gives no vector of features per picture: choose another")
    return int(found.shape[1])


def digest(module: torch.nn.Module) -> str:
    """The sha256 of all weights, by which other files name this very network."""
    found = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        found.update(value.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def three(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean or deviation, a number for each colour."""
    red, green, blue = map(float, values)
    return red, green, blue


def resize(name: str, mode: str) -> Literal["stretch", "crop"]:
    """A library's word for how pictures are fitted; raises ModelError for what we do not do."""
    return _translated(RESIZE, name, mode)


def interpolation(name: str, mode: str) -> Literal["bilinear", "bicubic"]:
    """A library's word for how pictures are enlarged; raises ModelError for what we do not do."""
    return _translated(INTERPOLATION, name, mode)


def _translated(table: Mapping[str, Choice], name: str, word: str) -> Choice:
    if word not in table:
        known = ", ".join(table)
        raise ModelError(f"{name} wants its pictures resized by {word!r}, not by one of {known}")
    return table[word]
