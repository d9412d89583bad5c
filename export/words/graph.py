"""The networks of a word model that are not backbones, in ONNX, for any number of inputs."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from edge.model import tokens, words
from export.words.fusion import Fusion

OPSET = 17


def fusion_graph(fusion: Fusion) -> bytes:
    """(N, n, d) → (N, d); see ``edge.model.words``."""
    frames, width = fusion.position.shape
    return to_onnx(fusion, torch.zeros(2, frames, width), words.INPUT, words.OUTPUT)


def text_graph(tower: nn.Module, length: int) -> bytes:
    """Tokens (N, ``length``) int64 → (N, d); see ``edge.model.tokens``."""
    example = torch.ones(2, length, dtype=torch.int64)
    return to_onnx(tower, example, tokens.INPUT, tokens.OUTPUT)


def to_onnx(module: nn.Module, example: Tensor, name: str, output: str) -> bytes:
    """By the exporter that needs onnx alone; the first dimension is free."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder, "graph.onnx")
        warnings.simplefilter("ignore")  # the exporter's own, about itself
        torch.onnx.export(
            module.eval(),
            (example,),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=[name],
            output_names=[output],
            dynamic_axes={name: {0: "N"}, output: {0: "N"}},
        )
        return path.read_bytes()
