"""Where the weights of a network come from: a published tag, a file, or chance."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from edge.errors import ModelError


@dataclass(frozen=True, slots=True)
class Published:
    """A tag of the network's library, which downloads."""

    tag: str

    def __str__(self) -> str:
        """For people."""
        return self.tag


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file of weights in the library's own naming."""

    path: Path

    def __str__(self) -> str:
        """For people; the folder is nobody else's business."""
        return f"file {self.path.name}"


@dataclass(frozen=True, slots=True)
class Random:
    """What the library begins training with: for tests alone."""

    seed: int = 0

    def __str__(self) -> str:
        """For people."""
        return f"random weights, seed {self.seed}"


Weights: TypeAlias = Published | Checkpoint | Random
State: TypeAlias = dict[str, torch.Tensor]

UNREADABLE = (EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError)
WRAPPERS = ("state_dict", "model_state_dict", "model")  # under which training programs store it


@contextlib.contextmanager
def seeded(weights: Weights) -> Iterator[None]:
    """Random weights drawn inside follow from the seed alone; others' luck is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights.seed if isinstance(weights, Random) else 0)
        yield


@contextlib.contextmanager
def downloading(name: str, tag: str) -> Iterator[None]:
    """What goes wrong while a library fetches published weights, as ModelError."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(
            f"{name}: the weights {tag!r} could not be fetched ({reason}); check the network, or"
            " download them elsewhere and name the file"
        ) from error


def weights_licence(weights: Weights, published: str) -> str:
    """Whose licence the weights are under; ``published`` is where it stands, or its name."""
    match weights:
        case Published():
            return f"weights {weights}: {published or 'as their author licenses them'}"
        case Checkpoint():
            return f"weights of {weights}: as their author licenses them"
        case Random():
            return "weights: random, nobody's"


def read_checkpoint(path: Path) -> State:
    """The weights in a safetensors or torch file; no code in it is ever run.

    Raises ModelError for anything that is not a table of weights.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        held = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, *UNREADABLE) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(
            f"{path}: not a file of weights alone ({reason}); save the state dict as safetensors"
        ) from error
    return _table(path, held)


def fill(module: nn.Module, state: Mapping[str, torch.Tensor], *, beside: tuple[str, ...]) -> None:
    """Put weights into a network; what begins with ``beside`` (its classifier) may be left over.

    Raises ModelError where one is missing, left over or of another shape.
    """
    own = module.state_dict()
    wrong = {name for name in own if name not in state and not name.endswith("num_batches_tracked")}
    wrong |= {name for name in state if name not in own and not name.startswith(beside)}
    wrong |= {name for name in own.keys() & state.keys() if own[name].shape != state[name].shape}
    if wrong:
        shown = ", ".join(sorted(wrong)[:3])
        raise ModelError(
            f"the weights are not of this network: {len(wrong)} of them missing, left over or of"
            f" another shape ({shown}, …); check its name"
        )
    module.load_state_dict({name: state[name] for name in own.keys() & state.keys()}, strict=False)


def _table(path: Path, held: object) -> State:
    for wrapper in WRAPPERS:
        if isinstance(held, dict) and isinstance(held.get(wrapper), dict):
            held = held[wrapper]
    tensors = isinstance(held, dict) and all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in held.items()
    )
    if not isinstance(held, dict) or not held or not tensors:
        raise ModelError(f"{path}: holds no table of weights; save the state dict as safetensors")
    return {name.removeprefix("module."): value for name, value in held.items()}
