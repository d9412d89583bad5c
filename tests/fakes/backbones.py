"""Small backbones with known answers, their graphs written by hand: no torch."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from edge.model.backbone import (
    INPUT,
    OUTPUT,
    WEIGHTS,
    Backbone,
    BackboneSpec,
    GoldenClips,
    save_backbone,
)

OPSET = 17


def tiny_spec(*, width=8, size_px=32, frames=1, **changes) -> BackboneSpec:
    """A square input, colours from -1 to 1."""
    fields = dict(
        name=f"tiny-{width}x{frames}",
        width=width,
        size_px=(size_px, size_px),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        frames=frames,
    )
    return BackboneSpec(**(fields | changes))


def tiny_weights(width, seed=0):
    """What a mean colour is multiplied by, (3, width), and what is added, (width,)."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(3, width)).astype(np.float32)
    return matrix, rng.normal(size=width).astype(np.float32)


def tiny_backbone(folder, *, width=8, size_px=32, frames=1, seed=0, **changes) -> Backbone:
    """Embeds a picture, or a clip of ``frames``, as mean colour × matrix + offset."""
    spec = tiny_spec(width=width, size_px=size_px, frames=frames, **changes)
    matrix, offset = tiny_weights(width, seed)
    clips = np.random.default_rng(seed).integers(0, 256, (3, frames, size_px, size_px, 3), np.uint8)
    prepared = np.stack([[spec.prepare(picture) for picture in clip] for clip in clips])
    embeddings = prepared.mean(axis=(1, 3, 4)) @ matrix + offset
    return save_backbone(
        folder,
        spec,
        tiny_graph(spec, matrix, offset),
        GoldenClips(clips, embeddings.astype(np.float32)),
        licences=["Apache-2.0 (tests)"],
        provenance={"seed": seed, WEIGHTS: f"{seed}"},
    )


def tiny_graph(spec, matrix, offset) -> bytes:
    """``pictures`` (N, 3, H, W), or clips (N, 3, T, H, W), to ``embeddings`` (N, width)."""
    shape = ["N", 3, *([spec.frames] if spec.frames > 1 else []), *spec.size_px]
    constants = {
        "axes": np.arange(2, len(shape)),
        "matrix": matrix,
        "offset": offset,
    }
    nodes = [
        helper.make_node("ReduceMean", [INPUT], ["colour"], axes=constants.pop("axes"), keepdims=0),
        helper.make_node("MatMul", ["colour", "matrix"], ["turned"]),
        helper.make_node("Add", ["turned", "offset"], [OUTPUT]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", spec.width])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    return model.SerializeToString()
