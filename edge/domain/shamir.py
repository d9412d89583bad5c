"""Sharing a secret among n so that any t find it again and t - 1 learn nothing.

Shamir, How to share a secret, CACM 1979: the secret is the constant term of a random polynomial of
degree t - 1 over a prime field, share x its value at x. Arithmetic on Python's integers does not
run in constant time; it happens once a round, on secrets that live for that round.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

SECRET_BYTES = 32
SHARE_BYTES = 33
PRIME = 2**256 + 297  # the smallest prime that no 32-byte secret reaches


def split(secret: bytes, threshold: int, count: int) -> list[bytes]:
    """Shares of 33 bytes for x = 1 … ``count``; any ``threshold`` of them restore ``secret``."""
    if len(secret) != SECRET_BYTES or not 1 <= threshold <= count:
        raise ValueError(f"{len(secret)} bytes, {threshold} of {count}")
    coefficients = [int.from_bytes(secret)]
    coefficients += [secrets.randbelow(PRIME) for _ in range(threshold - 1)]
    return [_value(coefficients, x).to_bytes(SHARE_BYTES) for x in range(1, count + 1)]


def combine(shares: Mapping[int, bytes]) -> bytes:
    """The secret from x → share, as many as its threshold.

    Wrong shares give a wrong secret, or ValueError where they give none at all: the caller
    compares the result with what it was committed to.
    """
    values = {x: int.from_bytes(share) for x, share in shares.items()}
    secret = 0
    for x, value in values.items():
        above, below = 1, 1  # Lagrange's basis polynomial of x, at 0
        for other in values:
            if other != x:
                above = above * other % PRIME
                below = below * (other - x) % PRIME
        secret = (secret + value * above * pow(below, -1, PRIME)) % PRIME
    if secret >= 2 ** (8 * SECRET_BYTES):
        raise ValueError("the shares do not belong together")
    return secret.to_bytes(SECRET_BYTES)


def _value(coefficients: list[int], x: int) -> int:
    value = 0
    for coefficient in reversed(coefficients):  # Horner
        value = (value * x + coefficient) % PRIME
    return value
