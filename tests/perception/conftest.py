"""Tiny networks with known answers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

BuildNetwork = Callable[..., Path]


@pytest.fixture
def build_network(tmp_path) -> BuildNetwork:
    """Write a network that answers every picture with the same numbers."""

    def build(
        output,
        *,
        canvas=(64, 64),
        batch="batch",
        kind=TensorProto.FLOAT,
        metadata=None,
        free_size=False,
        name="net.onnx",
    ):
        # The answer is tiled to the batch, plus zero times the picture, so that the input counts.
        answer = np.asarray(output, np.float32)[None]
        sides = ["height", "width"] if free_size else [canvas[1], canvas[0]]
        nodes = [
            helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMax", ["pixels", "axes"], ["level"], keepdims=1),
            helper.make_node("Mul", ["level", "zero"], ["nothing"]),
            helper.make_node("Squeeze", ["nothing", "last"], ["flat"]),
            helper.make_node("Add", ["flat", "answer"], ["output0"]),
        ]
        constants = {
            "axes": np.array([1, 2, 3]),
            "last": np.array([3]),
            "zero": np.zeros(1, np.float32),
            "answer": answer,
        }
        graph = helper.make_graph(
            nodes,
            "constant",
            [helper.make_tensor_value_info("images", kind, [batch, 3, *sides])],
            [helper.make_tensor_value_info("output0", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, key) for key, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
        model.ir_version = 9
        for key, value in (metadata or {}).items():
            model.metadata_props.add(key=key, value=value)
        path = tmp_path / name
        onnx.save(model, path)
        return path

    return build
