"""A network in torch as an ONNX graph that takes any number of pictures.

By torch's newer exporter: the older one knows no antialiased resizing, by which transformers fit
their positions to a picture's size, and writes each operation of theirs as many.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

import torch
from timm.utils.model import reparameterize_model

from edge.errors import ModelError
from edge.model.backbone import INPUT, OUTPUT, BackboneSpec

OPSET = 18  # what the exporter writes without converting
LARGEST_BYTES = 2_000_000_000  # of weights: protobuf's bound is 2 GiB, with the nodes


def to_onnx(module: torch.nn.Module, spec: BackboneSpec) -> bytes:
    """The graph of ``module``; branches that exist for training alone are merged first.

    Raises ModelError where it cannot be exported or is too large for one file.
    """
    size_bytes = sum(value.nbytes for value in module.state_dict().values())
    if size_bytes > LARGEST_BYTES:
        raise ModelError(
            f"{spec.name}: {size_bytes / 1e9:.1f} GB of weights, and one ONNX file holds 2 at most;"
            " choose a smaller network"
        )
    merged = reparameterize_model(module).eval()
    clip = (spec.frames,) if spec.frames > 1 else ()
    pictures = torch.zeros(2, 3, *clip, *spec.size_px)  # of 1, it would take the number for fixed
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # the exporter's own, about itself
        try:
            program = torch.onnx.export(
                merged,
                (pictures,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("N")},),
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"{spec.name}: torch cannot export it ({reason})") from error
    assert program is not None  # None is what the older exporter returns
    return bytes(program.model_proto.SerializeToString())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the exporter logs of its own working from whoever exports a network."""
    loggers = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir", "torch.onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
