"""A trained temporal part on its way into a word model: weights, what it belongs to, golden tubes.

One safetensors file; the facts are JSON in its header.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from edge.atomic import write_atomically
from edge.domain.boxes import Floats
from edge.errors import ModelError
from export.words.contrast import action_features
from export.words.fusion import Fusion
from export.words.graph import fusion_graph

FORMAT = "vad-tfc-1"
WEIGHT = "weight/"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a temporal part is."""

    backbone: str  # version of the image tower that it was trained behind
    width: int
    frames: int
    layers: int
    heads: int
    alpha: float
    trained_on: str  # for people to read


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A temporal part and some tubes (G, n, d) that it is checked on."""

    facts: Facts
    fusion: Fusion
    tubes: Floats

    def features(self) -> Floats:
        """The action features (G, d) of the golden tubes, as torch computes them."""
        with torch.inference_mode():
            found = action_features(
                self.fusion.eval(), torch.from_numpy(self.tubes), alpha=self.facts.alpha
            )
        return np.asarray(found.numpy(), np.float32)

    def graph(self) -> bytes:
        """In ONNX, for a host."""
        return fusion_graph(self.fusion)


def save_fusion(path: Path, trained: Trained) -> None:
    """Write the file; raises StorageError."""
    state = trained.fusion.state_dict()
    arrays = {f"{WEIGHT}{name}": np.ascontiguousarray(state[name].numpy()) for name in state}
    metadata = {"format": FORMAT, "facts": json.dumps(asdict(trained.facts))}
    write_atomically(path, save({**arrays, "tubes": trained.tubes}, metadata=metadata))


def load_fusion(path: Path) -> Trained:
    """Read the file; raises ModelError where it is none."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ModelError(f"{path}: not a file of vad-export tfc")
            facts = Facts(**json.loads(metadata["facts"]))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 not a dict
        fusion = Fusion(facts.width, frames=facts.frames, layers=facts.layers, heads=facts.heads)
        fusion.load_state_dict(
            {
                name.removeprefix(WEIGHT): torch.from_numpy(array)
                for name, array in arrays.items()
                if name.startswith(WEIGHT)
            }
        )
        return Trained(facts, fusion, arrays["tubes"])
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path}: cannot be read as a temporal part ({error})") from error
