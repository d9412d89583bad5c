"""The student as a torch network: build it, take its weights out, put weights in."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from edge.domain.boxes import Floats
from edge.domain.weights import Weights
from edge.model.base import Student
from edge.model.dakd import DakdStudent
from edge.model.density import DensityStudent
from edge.model.detector import ClapStudent, TemporalStudent
from edge.model.spec import PENULTIMATE, StudentSpec, check_weights

__all__ = [
    "PENULTIMATE",
    "Student",
    "StudentSpec",
    "load_weights",
    "make_student",
    "predict",
    "weights_of",
]

PREDICTED_AT_ONCE = 1024  # segments of one sequence; bounds the memory of causal attention

HEADS: dict[str, type[ClapStudent | DakdStudent | DensityStudent]] = {
    "clap": ClapStudent,
    "temporal": TemporalStudent,
    "density": DensityStudent,
    "dakd": DakdStudent,
}


def make_student(spec: StudentSpec, *, seed: int) -> Student:
    """A new student; equal spec and seed give equal weights, and no other draw is disturbed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return HEADS[spec.head](spec)


def weights_of(network: nn.Module) -> dict[str, Floats]:
    """A copy of all weights under their state-dict names, float32."""
    return {
        name: tensor.detach().cpu().numpy().astype(np.float32, copy=True)
        for name, tensor in network.state_dict().items()
    }


def load_weights(network: nn.Module, weights: Weights, *, where: str = "student") -> None:
    """Replace all weights; raises ModelError where names, shapes or values do not fit.

    ``where`` is what a message calls the network.
    """
    state = network.state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    check_weights(weights, shapes, where=where)
    with torch.no_grad():
        for name, tensor in state.items():
            tensor.copy_(torch.from_numpy(np.array(weights[name])))


def predict(spec: StudentSpec, weights: Weights, x: Floats) -> Floats:
    """Scores (B, L) of segments (B, L, d), each from itself and what came before; deterministic.

    A student that looks ahead sees each sequence whole: memory grows with the square of L.
    """
    student = make_student(spec, seed=0)
    load_weights(student, weights)
    student.eval()
    before = spec.window - 1
    at_once = max(x.shape[1], 1) if spec.looks_ahead else PREDICTED_AT_ONCE
    scores = np.zeros(x.shape[:2], np.float32)
    with torch.inference_mode():
        for begin in range(0, x.shape[1], at_once):
            part = slice(begin, begin + at_once)
            history = min(before, begin)
            seen = x[:, begin - history : part.stop].astype(np.float32)
            scores[:, part] = student(torch.from_numpy(seen))[0].numpy()[:, history:]
    return scores
