"""Smaller numbers say nearly the same; what cannot be converted is refused."""

import logging

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.errors import DatasetError, ModelError
from export.int8 import last_layers, quantise, quantise_nearest, to_fp16

INPUT = "images"


def graph_of(nodes, weights, shape, *, opset=17) -> bytes:
    """A network with one input and the output ``y``."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    model.metadata_props.add(key="names", value="{0: 'person'}")
    return bytes(model.SerializeToString())


def convolutions(*, dimensions=2, opset=17) -> bytes:
    """Convolution, swish, a convolution with a sum around it, and a last convolution."""
    rng = np.random.default_rng(0)
    kernel, pads = (3,) * dimensions, [1] * 2 * dimensions
    spread = np.geomspace(0.02, 2, 8)  # of the channels' weights: one scale does not suit all

    def weight(out, inputs):
        values = rng.normal(size=(out, inputs, *kernel)) / np.sqrt(inputs * 3**dimensions)
        return (values * spread[:out].reshape(-1, *[1] * (dimensions + 1))).astype(np.float32)

    def conv(name, source, target):
        return helper.make_node("Conv", [source, name], [target], name=name, pads=pads)

    nodes = [
        conv("first", INPUT, "a"),
        helper.make_node("Sigmoid", ["a"], ["b"], name="gate"),
        helper.make_node("Mul", ["a", "b"], ["c"], name="swish"),
        conv("second", "c", "d"),
        helper.make_node("Add", ["c", "d"], ["e"], name="residual"),
        conv("last", "e", "f"),
        helper.make_node("Sigmoid", ["f"], ["y"], name="confidence"),
    ]
    weights = {"first": weight(8, 3), "second": weight(8, 8), "last": weight(4, 8)}
    return graph_of(nodes, weights, (3, *(8,) * dimensions), opset=opset)


def products() -> bytes:
    """What transformers are made of: normalised, multiplied by weights and by each other."""
    rng = np.random.default_rng(1)
    nodes = [
        helper.make_node("LayerNormalization", [INPUT, "scale"], ["a"], name="norm"),
        helper.make_node("MatMul", ["a", "query"], ["q"], name="query"),
        helper.make_node("Transpose", ["a"], ["k"], name="turn", perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "k"], ["s"], name="scores"),
        helper.make_node("Softmax", ["s"], ["p"], name="mixing"),
        helper.make_node("MatMul", ["p", "a"], ["m"], name="mix"),
        helper.make_node("Add", ["m", INPUT], ["y"], name="residual"),
    ]
    query = rng.normal(size=(16, 16)).astype(np.float32) / 8
    return graph_of(nodes, {"query": query, "scale": np.ones(16, np.float32)}, (5, 16))


def inputs_of(graph: bytes, count=8):
    shape = [
        d.dim_value for d in onnx.load_from_string(graph).graph.input[0].type.tensor_type.shape.dim
    ]
    rng = np.random.default_rng(2)
    return [{INPUT: rng.normal(size=(1, *shape[1:])).astype(np.float32)} for _ in range(count)]


def run(graph: bytes, inputs) -> np.ndarray:
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, dict(one))[0] for one in inputs])


def weights_types(graph: bytes) -> dict[str, int]:
    return {i.name: i.data_type for i in onnx.load_from_string(graph).graph.initializer}


NETWORKS = {
    "pictures": convolutions(),
    "clips": convolutions(dimensions=3),
    "old opset": convolutions(opset=11),
    "attention": products(),
}


@pytest.fixture(params=NETWORKS)
def network(request) -> bytes:
    return NETWORKS[request.param]


def test_eight_bits_say_nearly_the_same(network):
    fed = inputs_of(network, 24)
    small = quantise(network, fed[:16])
    expected, given = run(network, fed[16:]), run(small, fed[16:])
    assert given.dtype == np.float32
    assert np.corrcoef(expected.ravel(), given.ravel())[0, 1] > 0.98
    assert not np.array_equal(expected, given)


def test_weights_are_signed_per_channel_and_activations_unsigned():
    small = onnx.load_from_string(quantise(convolutions(), inputs_of(convolutions())))
    arrays = {i.name: numpy_helper.to_array(i) for i in small.graph.initializer}
    assert arrays["first_quantized"].dtype == np.int8
    assert arrays["first_scale"].shape == (8,)
    points = [n.input[2] for n in small.graph.node if n.op_type == "QuantizeLinear"]
    assert {arrays[name].dtype for name in points} == {np.dtype(np.uint8)}


@pytest.mark.parametrize(
    ("contrasts", "widest"),
    [(np.linspace(0.1, 1, 20), True), (np.r_[np.ones(39), 40.0], False)],
    ids=["of every contrast", "alike, but for an odd one"],
)
def test_ranges_follow_what_the_network_is_shown(contrasts, widest):
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(16, 8)).astype(np.float32)}
    graph = graph_of([helper.make_node("MatMul", [INPUT, "w"], ["y"], name="m")], weights, (16,))
    shown = [{INPUT: (c * rng.uniform(-1, 1, (1, 16))).astype(np.float32)} for c in contrasts]
    made = quantise_nearest(graph, shown)
    same, other = (quantise(graph, shown, widest=each) for each in (widest, not widest))
    typical = [each for each, contrast in zip(shown, contrasts, strict=True) if contrast <= 1]

    def deviation(of) -> float:
        return float(np.abs(run(of, typical) - run(graph, typical)).mean())

    assert deviation(made) == deviation(same) < deviation(other)


def test_named_nodes_stay_floats():
    graph = convolutions()
    kept = last_layers(graph)
    types = weights_types(quantise(graph, inputs_of(graph), keep_float=kept))
    assert kept == {"last", "confidence"}
    assert types["last"] == TensorProto.FLOAT
    assert "second_quantized" in types


def test_a_mean_over_a_distribution_is_no_last_layer():
    """YOLO's boxes come from a convolution of one channel over a softmax."""
    nodes = [
        helper.make_node("Conv", [INPUT, "wide"], ["a"], name="wide"),
        helper.make_node("Softmax", ["a"], ["b"], name="distribution", axis=1),
        helper.make_node("Conv", ["b", "mean"], ["y"], name="mean"),
    ]
    weights = {"wide": np.ones((4, 3, 1, 1), np.float32), "mean": np.ones((1, 4, 1, 1), np.float32)}
    assert last_layers(graph_of(nodes, weights, (3, 8, 8))) == {"wide", "distribution", "mean"}


def test_sixteen_bits_say_nearly_the_same(network):
    fed = inputs_of(network)
    small = to_fp16(network)
    assert np.allclose(run(network, fed), run(small, fed), atol=0.02)
    assert TensorProto.FLOAT16 in weights_types(small).values()
    assert len(small) < len(network)


@pytest.mark.parametrize("convert", [lambda g: quantise(g, inputs_of(g)), to_fp16])
def test_metadata_is_kept(convert):
    made = onnx.load_from_string(convert(convolutions()))
    assert {p.key: p.value for p in made.metadata_props} == {"names": "{0: 'person'}"}


def test_nothing_is_printed_or_logged(capfd, caplog):
    with caplog.at_level(logging.DEBUG):
        quantise(convolutions(), inputs_of(convolutions()))
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


GRAPH = convolutions()


@pytest.mark.parametrize("convert", [lambda g: quantise(g, inputs_of(GRAPH)), to_fp16])
@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\xff" * 64,
        GRAPH[: len(GRAPH) // 2],
        convolutions(opset=99),
        graph_of([helper.make_node("Nonsense", [INPUT], ["y"])], {}, (3, 8, 8)),
    ],
    ids=["empty", "no graph", "truncated", "unknown opset", "unknown operator"],
)
def test_what_is_no_network_is_refused(convert, hostile):
    with pytest.raises(ModelError):
        convert(hostile)


def test_inputs_of_another_network_are_refused():
    with pytest.raises(ModelError, match="inputs"):
        quantise(GRAPH, [{"x": np.zeros((1, 3, 8, 8), np.float32)}])
    with pytest.raises(ModelError, match="inputs"):
        quantise(GRAPH, [{INPUT: np.zeros((1, 4, 8, 8), np.float32)}])


def test_no_inputs_are_refused():
    with pytest.raises(DatasetError, match="no pictures"):
        quantise(GRAPH, [])


def test_unknown_nodes_are_refused():
    with pytest.raises(ModelError, match="'third'"):
        quantise(GRAPH, inputs_of(GRAPH), keep_float=["last", "third"])


def test_a_layer_between_eight_bit_ones_cannot_be_kept():
    """ONNX Runtime would quantise it when it loads the graph, and coarsely."""
    nodes = [
        helper.make_node("Conv", [INPUT, "first"], ["a"], name="first"),
        helper.make_node("Conv", ["a", "second"], ["b"], name="second"),
        helper.make_node("Conv", ["b", "third"], ["y"], name="third"),
    ]
    weights = {name: np.ones((3, 3, 1, 1), np.float32) for name in ("first", "second", "third")}
    chain = graph_of(nodes, weights, (3, 8, 8))
    with pytest.raises(ModelError, match="second cannot stay a float"):
        quantise(chain, inputs_of(chain), keep_float=["second"])
    assert quantise(chain, inputs_of(chain), keep_float=["second", "third"])


def test_a_network_is_not_quantised_twice():
    with pytest.raises(ModelError, match="already"):
        quantise(quantise(GRAPH, inputs_of(GRAPH)), inputs_of(GRAPH))
