import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import edge.wire
from edge.domain.weights import shapes_of
from edge.errors import ConfigError, MalformedMessageError, ModelError
from edge.wire.compression import SCHEMES, decode_delta, encode_delta

finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
arrays = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=0, max_dims=3, max_side=9), elements=finite
)
deltas = st.dictionaries(st.text("ab.", min_size=1), arrays, max_size=4)
schemes = st.sampled_from(sorted(SCHEMES))
lossy = pytest.mark.parametrize("scheme", sorted(set(SCHEMES) - {"fp32"}))
SHAPES = {"head.bias": (30,), "head.weight": (30, 50)}


def gaussian(seed=1):
    generator = np.random.default_rng(seed)
    return {name: generator.normal(size=s).astype(np.float32) for name, s in SHAPES.items()}


def with_body(scheme, body):
    return b"vad-delta-1 " + scheme.encode() + b"\n" + zstandard.compress(body)


def through(delta, scheme):
    return decode_delta(encode_delta(delta, scheme), shapes_of(delta))


def error(delta, decoded):
    lost = sum(np.square(delta[n] - decoded[n], dtype=float).sum() for n in delta)
    return (lost / sum(np.square(a, dtype=float).sum() for a in delta.values())) ** 0.5


@given(deltas, schemes)
def test_shapes_survive_and_values_are_finite(delta, scheme):
    decoded = through(delta, scheme)
    assert shapes_of(decoded) == shapes_of(delta)
    assert all(np.isfinite(a).all() and a.dtype == np.float32 for a in decoded.values())


@given(deltas)
def test_the_reference_is_exact(delta):
    decoded = through(delta, "fp32")
    assert all(np.array_equal(decoded[name], delta[name]) for name in delta)


@given(deltas, schemes)
def test_equal_deltas_are_equal_bytes(delta, scheme):
    assert encode_delta(dict(reversed(delta.items())), scheme) == encode_delta(delta, scheme)


@given(hnp.arrays(np.float32, (5, 9), elements=st.floats(-(2.0**60), 2.0**60, width=32)))
def test_eight_bits_miss_by_half_a_step_of_the_row(rows):
    decoded = through({"w": rows}, "int8")["w"]
    step = np.abs(rows).max(axis=1, keepdims=True) / 127
    assert (np.abs(decoded - rows) <= 0.5001 * step + 1e-43).all()


@given(hnp.arrays(np.float32, (5, 9), elements=st.floats(-1000, 1000, width=32)))
def test_four_bits_miss_by_half_a_root_mean_square_of_the_row(rows):
    decoded = through({"w": rows}, "int4")["w"]  # of 9 values none is beyond 3 root mean squares
    rms = np.sqrt(np.mean(np.square(rows, dtype=float), axis=1, keepdims=True))
    assert (np.abs(decoded - rows) <= 0.5001 * rms + 1e-43).all()


@given(hnp.arrays(np.float32, st.integers(1, 3000), elements=st.floats(-1, 1, width=32)))
def test_what_is_sparse_is_the_tenth_of_largest_magnitude(values):
    decoded = through({"v": values}, "sparse")["v"]
    sent = decoded != 0
    assert sent.sum() <= np.ceil(len(values) / 10)
    if sent.any() and not sent.all():
        assert (
            np.abs(values[sent]).min() >= np.sort(np.abs(values))[-int(np.ceil(len(values) / 10))]
        )
    assert np.abs(decoded - values)[sent].max(initial=0) <= np.abs(values).max() / 253


@given(st.sets(st.integers(0, 9_999), min_size=1, max_size=30))
def test_gaps_of_any_length_are_found_again(places):
    values = np.zeros(10_000, np.float32)
    values[list(places)] = 1.0
    assert np.array_equal(through({"v": values}, "sparse")["v"], values)


@given(st.floats(2.0**-60, 2.0**60), st.sampled_from(["int8", "int4", "sparse"]))
def test_the_error_is_relative(scale, scheme):
    delta = gaussian()
    scaled = {name: array * np.float32(scale) for name, array in delta.items()}
    assert error(scaled, through(scaled, scheme)) == pytest.approx(
        error(delta, through(delta, scheme)), rel=1e-3
    )


def test_fewer_bytes_are_a_larger_error():
    delta, order = gaussian(), ("fp32", "int8", "int4", "sparse")
    sizes = [len(encode_delta(delta, scheme)) for scheme in order]
    errors = [error(delta, through(delta, scheme)) for scheme in order]
    assert all(more > less for more, less in pairwise(sizes))
    assert all(less < more for less, more in pairwise(errors))
    assert errors[1] < 0.01
    assert errors[2] < 0.3


def test_a_zero_delta_stays_one():
    delta = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    for scheme in SCHEMES:
        assert not any(array.any() for array in through(delta, scheme).values())


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_a_diverged_delta_is_not_sent(scheme, value):
    delta = gaussian() | {"head.bias": np.full(30, value, np.float32)}
    with pytest.raises(ModelError, match=r"'head\.bias'"):
        encode_delta(delta, scheme)


def test_an_unknown_scheme_is_the_operators_mistake():
    with pytest.raises(ConfigError, match="choose one of fp32, int8, int4, sparse"):
        encode_delta(gaussian(), "int7")


@given(st.binary(max_size=200) | st.binary().map(lambda b: b"vad-delta-1 int8\n" + b))
def test_arbitrary_bytes_are_refused(payload):
    with pytest.raises(MalformedMessageError):
        decode_delta(payload, SHAPES)


@given(schemes, st.data())
def test_a_payload_that_was_cut_or_prolonged_is_refused(scheme, data):
    payload = encode_delta(gaussian(), scheme)
    cut = payload[: data.draw(st.integers(0, len(payload) - 1))]
    for spoilt in (cut, payload + data.draw(st.binary(min_size=1))):
        with pytest.raises(MalformedMessageError):
            decode_delta(spoilt, SHAPES)


@given(schemes, st.binary(max_size=300))
def test_an_arbitrary_body_is_refused(scheme, body):
    with pytest.raises(MalformedMessageError):
        decode_delta(with_body(scheme, body), SHAPES)


@lossy
@pytest.mark.parametrize("change", [-1, 1])
def test_a_body_of_another_length_is_refused(scheme, change):
    body = SCHEMES[scheme].pack(gaussian())
    body = body[:change] if change < 0 else body + bytes(change)
    with pytest.raises(MalformedMessageError, match=r"cut off|too many|decompresses to"):
        decode_delta(with_body(scheme, body), SHAPES)


@lossy
@pytest.mark.parametrize("step", [np.nan, np.inf, -1.0, 3e38])
def test_a_step_that_is_no_usable_number_is_refused_by_name(scheme, step):
    body = bytearray(SCHEMES[scheme].pack(gaussian()))
    at = 8 if scheme == "sparse" else 0
    body[at : at + 4] = np.float32(step).tobytes()
    with pytest.raises(MalformedMessageError, match=r"'head\.bias' has a step"):
        decode_delta(with_body(scheme, bytes(body)), SHAPES)


def test_levels_that_do_not_exist_are_refused():
    for scheme, shape, body in (
        ("int8", (3,), np.float32(1).tobytes() + b"\x01\x80\x01"),
        ("int4", (3,), np.float32(1).tobytes() + b"\x07\x88"),
        ("int4", (3,), np.float32(1).tobytes() + b"\x77\x87"),  # the half byte behind the end
    ):
        with pytest.raises(MalformedMessageError, match="a level that does not exist"):
            decode_delta(with_body(scheme, body), {"v": shape})


@pytest.mark.parametrize(
    ("count", "gaps", "fault"),
    [(1, b"\x0a", "beyond"), (1, b"\xff", "beyond"), (2, b"\x01", "2 values for 1 places")],
)
def test_places_that_do_not_exist_are_refused(count, gaps, fault):
    counts = np.array([count, len(gaps)], "<u4").tobytes()
    body = counts + np.float32(1).tobytes() + gaps + b"\x01" * count
    with pytest.raises(MalformedMessageError, match=fault):
        decode_delta(with_body("sparse", body), {"v": (10,)})


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_a_bomb_is_refused_before_it_is_decompressed(scheme):
    payload = with_body(scheme, bytes(2**24))
    with pytest.raises(MalformedMessageError, match="decompresses to 16777216 bytes, at most"):
        decode_delta(payload, SHAPES)


def test_a_frame_that_hides_or_fakes_its_size_is_refused():
    body = SCHEMES["int8"].pack(gaussian())
    hidden = zstandard.ZstdCompressor(write_content_size=False).compress(body)
    assert zstandard.get_frame_parameters(hidden).content_size == zstandard.CONTENTSIZE_UNKNOWN
    faked = bytearray(with_body("int8", bytes(2**20)))
    at = len(b"vad-delta-1 int8\n") + 5
    faked[at : at + 4] = len(body).to_bytes(4, "little")
    for payload in (b"vad-delta-1 int8\n" + hidden, bytes(faked)):
        with pytest.raises(MalformedMessageError):
            decode_delta(payload, SHAPES)


def test_a_host_without_zstandard_can_load_the_rest_of_the_wire():
    modules = {path.stem for path in Path(edge.wire.__file__).parent.glob("[a-z]*.py")}
    code = "import sys; sys.modules['zstandard'] = None\n"
    code += "\n".join(f"import edge.wire.{module}" for module in modules - {"compression"})
    subprocess.run([sys.executable, "-c", code], check=True)
