"""Who this host is to a federation, and whom it believes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge.wire.keys import (
    SECRET_MODE,
    fingerprint,
    read_public_key,
    read_signing_key,
    secret_pem,
    write_once,
)
from edge.wire.topics import check_id


@dataclass(frozen=True, slots=True, repr=False)  # a key has no business in a log
class Identity:
    """The keys with which a participant signs, and checks what the aggregator signed."""

    participant: str
    signing_key: Ed25519PrivateKey
    aggregator_key: Ed25519PublicKey

    @property
    def fingerprint(self) -> str:
        """Of the host's public key, to be compared with ``vad-aggregator participants``."""
        return fingerprint(self.signing_key.public_key())

    @property
    def aggregator_fingerprint(self) -> str:
        """Of the aggregator's public key."""
        return fingerprint(self.aggregator_key)


def load_identity(participant: str, *, signing_key: Path, aggregator_key: Path) -> Identity:
    """Read both files; ConfigError names the one that cannot be used and what to do."""
    return Identity(
        check_id(participant, "participant"),
        read_signing_key(signing_key),
        read_public_key(aggregator_key),
    )


def own_signing_key(path: Path) -> Ed25519PrivateKey:
    """The key in ``path``; a new one is made there when there is none.

    Raises ConfigError for a file that is no key, StorageError where none can be written.
    """
    if not path.exists():
        write_once(path, secret_pem(Ed25519PrivateKey.generate()), SECRET_MODE)
    return read_signing_key(path)
