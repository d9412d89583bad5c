"""Which nodes of a network 8-bit numbers do not suit."""

from __future__ import annotations

import onnx

from export.int8 import last_layers

COLOURS = 3  # input channels of the first layer: too few for integer kernels to gain anything
LARGEST_KERNEL_PX = 5  # of depthwise convolutions that ONNX Runtime has fast integer kernels for
ELEMENTWISE = ("Mul", "Sigmoid")  # gates, and most activations


def better_in_floats(graph: bytes) -> frozenset[str]:
    """Names of the nodes that stay floats: they are faster so, and nearer the original.

    These are the convolution of the pixels (S3D: 2.3 times the speed of fp32 instead of 1.7),
    gates and activations and, in a network with large depthwise kernels, all depthwise convolutions
    (MobileCLIP2-S0: 1.6 instead of 1.0): some alone, between 8-bit layers, would not stay floats.
    Figures of one thread of a CPU with VNNI. And a last product, which gives the embedding: it is
    small, and its rounding would be the embedding's own (a third of all deviation).
    """
    nodes = onnx.load_from_string(graph).graph
    shapes = {each.name: tuple(each.dims) for each in nodes.initializer}
    weights = {
        node.name: shapes[node.input[1]]  # (outputs, inputs per group, *kernel)
        for node in nodes.node
        if node.op_type == "Conv"
    }
    depthwise = {name for name, shape in weights.items() if shape[1] == 1}
    is_large = any(max(weights[name][2:]) > LARGEST_KERNEL_PX for name in depthwise)
    pixels = {name for name, shape in weights.items() if shape[1] == COLOURS}
    elementwise = {node.name for node in nodes.node if node.op_type in ELEMENTWISE}
    last = last_layers(graph)
    projection = set() if last & weights.keys() else last
    return frozenset(pixels | elementwise | projection | (depthwise if is_large else set()))
