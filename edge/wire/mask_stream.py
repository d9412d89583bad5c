"""What both ends of secure aggregation must compute alike: agreed secrets, and masks from them.

X25519 (RFC 7748), HKDF with SHA-256 (RFC 5869), ChaCha20 (RFC 8439) as the random stream. Every
derived key has one purpose, which its HKDF info names, and is used once: nonces can be zero.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edge.domain.fixed_point import Words
from edge.errors import MalformedMessageError

_CHUNK_WORDS = 64 * 1024  # stays in the second-level cache while all masks pass over it


def pair_seed(secret: X25519PrivateKey, public: bytes, session: str, own: str, other: str) -> bytes:
    """The 32 bytes that two participants have in common; both sides get the same."""
    return _agreed(secret, public, ["mask", session, *sorted((own, other))])


def share_cipher_key(
    secret: X25519PrivateKey, public: bytes, session: str, sender: str, receiver: str
) -> bytes:
    """The key that encrypts what ``sender`` tells ``receiver``; the other direction has its own."""
    return _agreed(secret, public, ["share", session, sender, receiver])


def check_public_key(public: bytes) -> None:
    """MalformedMessageError where nothing secret can be agreed with this key: it would stop all."""
    _exchanged(X25519PrivateKey.generate(), public)


def pair_sign(own: str, other: str) -> int:
    """+1 or -1: how ``own`` adds the mask it has with ``other``, who adds the opposite."""
    return 1 if own < other else -1


def commitment(seed: bytes, session: str, owner: str) -> bytes:
    """Tells whether a restored self-mask is the right one, and nothing else: seeds are random."""
    return hashlib.sha256(_info(["seed", session, owner]) + seed).digest()


def add_masks(words: Words, masks: Sequence[tuple[bytes, int]]) -> None:
    """Add the stream of every (seed, sign) to ``words``, in place, modulo 2^32."""
    streams = [Cipher(ChaCha20(seed, bytes(16)), None).encryptor() for seed, _ in masks]
    zeros, stream = bytes(4 * _CHUNK_WORDS), bytearray(4 * _CHUNK_WORDS)
    for start in range(0, len(words), _CHUNK_WORDS):
        part = words[start : start + _CHUNK_WORDS]
        for encryptor, (_, sign) in zip(streams, masks, strict=True):
            encryptor.update_into(zeros, stream)
            mask = np.frombuffer(stream, "<u4", len(part))
            (np.add if sign > 0 else np.subtract)(part, mask, out=part)


def _agreed(secret: X25519PrivateKey, public: bytes, purpose: list[str]) -> bytes:
    shared = _exchanged(secret, public)
    return HKDF(SHA256(), length=32, salt=None, info=_info(purpose)).derive(shared)


def _exchanged(secret: X25519PrivateKey, public: bytes) -> bytes:
    try:
        return secret.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:  # a point of small order: everybody would know the secret
        raise MalformedMessageError("a public key with which nothing secret is agreed") from None


def _info(purpose: list[str]) -> bytes:
    """Unambiguous: names hold no slashes."""
    return "/".join(["vad-edge-masks-1", *purpose]).encode("ascii")
