from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MalformedMessageError
from tests.fuzz.decoders import DECODERS


@st.composite
def mutations(draw, seed: bytes) -> bytes:
    """Bytes overwritten, then cut off, repeated or prolonged."""
    payload = bytearray(seed)
    for _ in range(draw(st.integers(0, 4))):
        payload[draw(st.integers(0, len(payload) - 1))] = draw(st.integers(0, 255))
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(payload))] * 2)))
    pieces = [bytes(payload), bytes(payload[:end]), bytes(payload[start:])]
    pieces += [bytes(payload[:end] + payload[start:]), bytes(payload) + draw(st.binary(max_size=9))]
    return draw(st.sampled_from(pieces))


@pytest.mark.parametrize("decoder", DECODERS, ids=str)
@given(data=st.data())
def test_bytes_become_a_value_or_are_refused(decoder, data):
    payload = data.draw(st.binary(max_size=100) | mutations(decoder.seed))
    with suppress(MalformedMessageError):
        decoder.decode(payload)


@pytest.mark.parametrize("decoder", DECODERS, ids=str)
def test_the_seed_of_the_mutations_gets_through(decoder):
    if decoder.name == "envelope":
        with pytest.raises(MalformedMessageError, match="not registered here"):
            decoder.decode(decoder.seed)
    else:
        decoder.decode(decoder.seed)
