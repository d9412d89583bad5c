"""Words as data: embeddings that a text network gave, read where no text network is.

One safetensors file: ``embeddings`` (P, d) float32 of unit length, and in its metadata the prompts,
the network and the digest of the image tower whose embeddings they may be compared with.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from edge.atomic import write_atomically
from edge.domain.boxes import Floats
from edge.errors import ModelError

FORMAT = "vad-text-1"
EMBEDDINGS = "embeddings"
TOLERANCE = 1e-3  # of a unit length


@dataclass(frozen=True, slots=True, eq=False)
class TextEmbeddings:
    """P prompts in the space of one image network's embeddings."""

    prompts: tuple[str, ...]  # each once, none empty
    embeddings: Floats  # (P, d), each of length 1
    model: str  # "ViT-B-32"
    tower_sha256: str  # of the image tower's weights; a backbone's provenance tells its own

    def __post_init__(self) -> None:
        """Raises ModelError where the parts do not fit each other."""
        if not all(isinstance(prompt, str) and prompt.strip() for prompt in self.prompts):
            raise ModelError("text embeddings: a prompt is empty or no text")
        if len(set(self.prompts)) != len(self.prompts) or not self.prompts:
            raise ModelError("text embeddings: no prompt, or the same one twice")
        if not isinstance(self.model, str) or not isinstance(self.tower_sha256, str):
            raise ModelError("text embeddings: the network's name or digest is no text")
        if self.embeddings.ndim != 2 or len(self.embeddings) != len(self.prompts):
            raise ModelError(
                f"text embeddings: {self.embeddings.shape} for {len(self.prompts)} prompts"
            )
        lengths = np.linalg.norm(self.embeddings, axis=1)
        if self.embeddings.dtype != np.float32 or not (np.abs(lengths - 1) <= TOLERANCE).all():
            raise ModelError("text embeddings: not of float32 and unit length")


def save_text(path: Path, texts: TextEmbeddings) -> None:
    """Write the file at once; raises StorageError where the disk refuses."""
    metadata = {
        "format": FORMAT,
        "prompts": json.dumps(texts.prompts),
        "model": texts.model,
        "tower_sha256": texts.tower_sha256,
    }
    arrays = {EMBEDDINGS: np.ascontiguousarray(texts.embeddings)}
    write_atomically(path, save(arrays, metadata=metadata))


def load_text(path: Path) -> TextEmbeddings:
    """Read text embeddings; raises ModelError for a missing, damaged or foreign file."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata, names = file.metadata() or {}, set(file.keys())
            if metadata.get("format") != FORMAT or names != {EMBEDDINGS}:
                raise _unusable(path, f"not of format {FORMAT}")
            prompts = json.loads(metadata["prompts"])
            if not isinstance(prompts, list):
                raise _unusable(path, "its prompts are no list")
            embeddings = file.get_tensor(EMBEDDINGS)
        return TextEmbeddings(
            tuple(prompts), embeddings, metadata["model"], metadata["tower_sha256"]
        )
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (SafetensorError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise _unusable(path, str(error)) from error


def _unusable(path: Path, what: str) -> ModelError:
    return ModelError(f"{path}: no text embeddings: {what}; make them again with vad-export text")
