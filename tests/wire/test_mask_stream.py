import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MalformedMessageError
from edge.wire.mask_stream import (
    _CHUNK_WORDS,
    add_masks,
    check_public_key,
    commitment,
    pair_seed,
    pair_sign,
    share_cipher_key,
)

DOOR = X25519PrivateKey.from_private_bytes(bytes(range(32)))
YARD = X25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
DOOR_PUB, YARD_PUB = (key.public_key().public_bytes_raw() for key in (DOOR, YARD))
SEED = bytes(range(32))


def test_the_stream_is_chacha20():
    """RFC 8439, appendix A.1, test vector 1: a key of zeros, a nonce of zeros."""
    words = np.zeros(4, np.uint32)
    add_masks(words, [(bytes(32), 1)])
    assert words.astype("<u4").tobytes().hex() == "76b8e0ada0f13d90405d6ae55386bd28"


@pytest.mark.parametrize("size", [0, 1, _CHUNK_WORDS, _CHUNK_WORDS + 1, 2 * _CHUNK_WORDS + 17])
def test_opposite_signs_cancel_and_nothing_repeats_between_chunks(size):
    words = np.zeros(size, np.uint32)
    add_masks(words, [(SEED, 1)])
    longer = np.zeros(3 * _CHUNK_WORDS, np.uint32)
    add_masks(longer, [(SEED, 1)])
    np.testing.assert_array_equal(words, longer[:size])
    assert not np.array_equal(longer[:_CHUNK_WORDS], longer[_CHUNK_WORDS : 2 * _CHUNK_WORDS])
    add_masks(words, [(bytes(32), 1), (SEED, -1), (bytes(32), -1)])
    assert not words.any()


def test_both_ends_agree_and_add_opposite_masks():
    ours = pair_seed(DOOR, YARD_PUB, "s", "door", "yard")
    assert ours == pair_seed(YARD, DOOR_PUB, "s", "yard", "door")
    assert pair_sign("door", "yard") == -pair_sign("yard", "door")
    key = share_cipher_key(DOOR, YARD_PUB, "s", "door", "yard")
    assert key == share_cipher_key(YARD, DOOR_PUB, "s", "door", "yard")


def test_every_purpose_has_its_own_secret():
    derived = [
        pair_seed(DOOR, YARD_PUB, "s", "door", "yard"),
        pair_seed(DOOR, YARD_PUB, "t", "door", "yard"),
        share_cipher_key(DOOR, YARD_PUB, "s", "door", "yard"),
        share_cipher_key(DOOR, YARD_PUB, "s", "yard", "door"),
    ]
    assert len(set(derived)) == len(derived)


@given(st.binary(min_size=32, max_size=32))
def test_a_commitment_is_to_one_seed_of_one_owner_in_one_session(seed):
    own = commitment(seed, "s", "door")
    assert own == commitment(seed, "s", "door")
    assert own not in (commitment(seed, "s", "yard"), commitment(seed, "t", "door"))
    assert own != commitment(bytes([seed[0] ^ 1]) + seed[1:], "s", "door")


def test_points_of_small_order_are_refused():
    check_public_key(DOOR_PUB)
    for point in (bytes(32), b"\1" + bytes(31)):
        with pytest.raises(MalformedMessageError):
            check_public_key(point)
        with pytest.raises(MalformedMessageError):
            pair_seed(DOOR, point, "s", "door", "yard")
