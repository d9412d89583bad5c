from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.shamir import PRIME, SHARE_BYTES, combine, split

secrets_32 = st.binary(min_size=32, max_size=32)


@given(secrets_32, st.data())
def test_any_threshold_of_the_shares_restores_the_secret(secret, data):
    count = data.draw(st.integers(1, 12))
    threshold = data.draw(st.integers(1, count))
    shares = split(secret, threshold, count)
    chosen = data.draw(st.permutations(range(1, count + 1)))[:threshold]
    assert combine({x: shares[x - 1] for x in chosen}) == secret
    assert {len(share) for share in shares} == {SHARE_BYTES}


@given(secrets_32)
def test_one_share_less_fits_every_other_secret_as_well(secret):
    """With t - 1 shares each secret is possible: some last share leads to it."""
    first, second, _ = split(secret, 3, 3)
    other = bytes(32)
    y1, y2 = int.from_bytes(first), int.from_bytes(second)
    # the parabola through (0, 0), (1, y1), (2, y2), at 3
    last = (3 * (y2 - y1)) % PRIME
    assert combine({1: first, 2: second, 3: last.to_bytes(SHARE_BYTES)}) == other


@given(secrets_32, st.integers(1, 2**256))
def test_a_false_share_does_not_restore_the_secret(secret, shift):
    shares = dict(enumerate(split(secret, 2, 2), start=1))
    shares[1] = ((int.from_bytes(shares[1]) + shift) % PRIME).to_bytes(SHARE_BYTES)
    with suppress(ValueError):  # the shares do not belong together
        assert combine(shares) != secret


@pytest.mark.parametrize(("size", "threshold", "count"), [(31, 2, 3), (32, 0, 3), (32, 4, 3)])
def test_impossible_sharings_are_refused(size, threshold, count):
    with pytest.raises(ValueError, match="of"):
        split(bytes(size), threshold, count)


def test_the_field_has_a_prime_order():
    """Miller and Rabin's test with 40 bases."""
    odd, twos = PRIME - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in range(2, 42):
        powers = [pow(base, odd * 2**i, PRIME) for i in range(twos)]
        assert powers[0] == 1 or PRIME - 1 in powers
