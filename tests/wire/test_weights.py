import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load, save

from edge.domain.weights import shapes_of
from edge.errors import MalformedMessageError, ModelError
from edge.wire.weights import MAX_HEADER_BYTES, decode_weights, encode_weights, fingerprint

finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
arrays = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=0, max_dims=4, max_side=5), elements=finite
)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda n: n != "__metadata__")
weights = st.dictionaries(NAMES, arrays, max_size=4)
SMALL = {"a": np.ones((2, 3), np.float32), "b": np.zeros(4, np.float32)}
SHAPES = shapes_of(SMALL)


def equal(first, second):
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name]) for name in first
    )


def with_header(change):
    """``SMALL`` with its header changed."""
    payload = encode_weights(SMALL)
    (length,) = struct.unpack_from("<Q", payload)
    header = json.loads(payload[8 : 8 + length])
    text = change(header)
    text = json.dumps(header if text is None else text) if not isinstance(text, str) else text
    return struct.pack("<Q", len(text)) + text.encode() + payload[8 + length :]


@given(weights)
def test_what_is_written_is_what_is_read(weights):
    read = decode_weights(encode_weights(weights), shapes_of(weights))
    assert equal(read, weights)
    assert all(array.flags.writeable and array.dtype == np.float32 for array in read.values())


@given(weights, st.dictionaries(st.text("abc"), st.text("xyz")))
def test_the_reference_implementation_reads_the_same(weights, metadata):
    weights = {name.strip("\0") or "n": array for name, array in weights.items()}
    assert equal(load(encode_weights(weights, metadata=metadata)), weights)


def test_what_the_reference_implementation_writes_is_read():
    assert equal(decode_weights(save(SMALL, metadata={"format": "np"}), SHAPES), SMALL)


@given(weights)
def test_the_order_of_names_changes_nothing(weights):
    turned = dict(reversed(weights.items()))
    assert encode_weights(turned) == encode_weights(weights)
    assert fingerprint(turned) == fingerprint(weights)


def test_a_fingerprint_tells_models_apart():
    flat = np.arange(6, dtype=np.float32)
    models = [{"a": flat}, {"b": flat}, {"a": flat.reshape(2, 3)}, {"a": flat + 1}]
    models += [{"a": flat[:3], "b": flat[3:]}, {"a": flat[:2], "b": flat[2:]}]
    assert len({fingerprint(model) for model in models}) == len(models)


@given(weights)
def test_a_fingerprint_does_not_depend_on_the_layout_in_memory(weights):
    assert fingerprint({n: a.copy("F") for n, a in weights.items()}) == fingerprint(weights)


@pytest.mark.parametrize(
    ("fault", "change"),
    [
        ("'a' is missing", lambda h: {"b": h["b"]}),
        ("'c' does not belong", lambda h: h.update(c=h["b"])),
        ("'a' has shape", lambda h: h["a"].update(shape=[3, 2])),
        ("'a' is not of type F32", lambda h: h["a"].update(dtype="F16")),
        ("'a' is not of type F32", lambda h: h["a"].update(dtype=["F32"])),
        ("'a' lacks a key", lambda h: h["a"].update(strides=[1])),
        ("'a' lacks a key", lambda h: h["a"].update(data_offsets=h["a"].pop("shape"))),
        ("'a' lacks a key", lambda h: h.update(a=[])),
        ("'a' has no usable shape", lambda h: h["a"].update(shape=[2, -3])),
        ("'a' has no usable shape", lambda h: h["a"].update(shape=[2, 3.0])),
        ("'a' has no usable shape", lambda h: h["a"].update(shape=[True, 6])),
        ("'a' has no usable shape", lambda h: h["a"].update(shape=[1] * 100)),
        ("'a' has no usable shape", lambda h: h["a"].update(shape=[0, 2**70])),
        ("'a' has no usable offsets", lambda h: h["a"].update(data_offsets=[0])),
        ("'a' has no usable offsets", lambda h: h["a"].update(data_offsets=[0, "24"])),
        ("'a' does not lie", lambda h: h["a"].update(data_offsets=[0, 20])),
        ("'b' does not lie", lambda h: h["b"].update(data_offsets=[8, 24])),
        ("'b' does not lie", lambda h: h["b"].update(data_offsets=[28, 44])),
        ("'b' does not lie", lambda h: h["b"].update(data_offsets=[24, 2**70])),
        ("metadata", lambda h: h.update(__metadata__={"a": 1})),
        ("metadata", lambda h: h.update(__metadata__="a")),
        ("no JSON object", lambda _: [1]),
        ("no JSON", lambda _: "[" * 100_000),
        ("no JSON", lambda _: "9" * 5000),
        ("NaN in the header", lambda _: '{"a": NaN}'),
        ("stands twice", lambda h: '{"a":1,' + json.dumps(h)[1:]),
        ("stands twice", lambda _: '{"a":{"dtype":"F32","dtype":"F32"}}'),
    ],
)
def test_a_header_that_lies_is_refused(fault, change):
    with pytest.raises(MalformedMessageError, match=fault):
        decode_weights(with_header(change), SHAPES)


def test_arrays_fill_the_body():
    with pytest.raises(MalformedMessageError, match="48 bytes of arrays, 40 described"):
        decode_weights(encode_weights(SMALL) + bytes(8), SHAPES)


@pytest.mark.parametrize("length", [0, MAX_HEADER_BYTES + 1, 2**64 - 1])
def test_a_length_that_lies_is_refused(length):
    payload = struct.pack("<Q", length) + encode_weights(SMALL)[8:]
    with pytest.raises(MalformedMessageError):
        decode_weights(payload, SHAPES)


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda b: b"\x40" + bytes(7) + b))
def test_arbitrary_bytes_are_refused(payload):
    with pytest.raises(MalformedMessageError):
        decode_weights(payload, SHAPES)


@given(st.integers(0, len(encode_weights(SMALL)) - 1))
def test_a_payload_that_was_cut_is_refused(length):
    with pytest.raises(MalformedMessageError):
        decode_weights(encode_weights(SMALL)[:length], SHAPES)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_by_name(value):
    spoilt = SMALL | {"b": np.full(4, value, np.float32)}
    with pytest.raises(ModelError, match="'b'"):
        encode_weights(spoilt)
    with pytest.raises(MalformedMessageError, match="'b' holds values that are not finite"):
        decode_weights(save(spoilt), SHAPES)


def test_the_limit_counts_all_bytes():
    payload = encode_weights(SMALL)
    decode_weights(payload, limit_bytes=len(payload))
    with pytest.raises(MalformedMessageError, match="at most"):
        decode_weights(payload, limit_bytes=len(payload) - 1)


def test_a_long_foreign_name_is_not_repeated_in_full():
    with pytest.raises(MalformedMessageError) as raised:
        decode_weights(encode_weights({"x" * 10_000: SMALL["a"]} | SMALL), SHAPES)
    assert len(str(raised.value)) < 200


def test_the_name_that_the_format_keeps_for_itself_is_no_array_s():
    with pytest.raises(ModelError, match="__metadata__"):
        encode_weights({"__metadata__": np.zeros(1, np.float32)})
