"""What a training in torch leaves in a checkpoint: weights and the optimiser's state, by name."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, nn

from edge.training.checkpoint import Arrays

WEIGHT, OPTIMISER = "weight/", "optimiser/"  # begin the names of either


def state_arrays(
    learner: nn.Module, optimiser: torch.optim.Optimizer
) -> dict[str, npt.NDArray[Any]]:
    """All that ``restore`` needs; the arrays go on changing as long as training does."""
    arrays = {f"{WEIGHT}{name}": value.numpy() for name, value in learner.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        for key, value in state.items():
            if isinstance(value, Tensor):  # without momentum SGD keeps an empty place
                arrays[f"{OPTIMISER}{index}/{key}"] = value.numpy()
    return arrays


def restore(learner: nn.Module, optimiser: torch.optim.Optimizer, arrays: Arrays) -> None:
    """Set both to where they stood; ``arrays`` may hold others besides."""
    weights: dict[str, Tensor] = {}
    state: dict[int, dict[str, Tensor]] = {}
    for name, array in arrays.items():
        if name.startswith(WEIGHT):
            weights[name.removeprefix(WEIGHT)] = torch.from_numpy(array)
        elif name.startswith(OPTIMISER):
            _, index, key = name.split("/")
            state.setdefault(int(index), {})[key] = torch.from_numpy(array)
    learner.load_state_dict(weights)
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
