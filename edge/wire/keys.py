"""Signing keys as PEM files: PKCS #8 for the secret half, SubjectPublicKeyInfo for the public one.

Secret files are made once, readable by their owner alone, and never overwritten.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from edge.errors import ConfigError, StorageError

SECRET_MODE = 0o600
PUBLIC_MODE = 0o644
_OTHERS = 0o077  # permission bits of everybody but the owner


def write_once(path: Path, content: bytes, mode: int) -> None:
    """Write a new file, all of it or nothing; StorageError where one stands there already."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        # the mode is set before the first byte is written, whatever the umask
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, path)  # unlike a rename, refuses to replace
    except OSError as error:
        if path.exists():
            raise StorageError(f"{path} stands already and is never overwritten") from None
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # what went wrong is said above
            partial.unlink(missing_ok=True)


def secret_pem(key: PrivateKeyTypes) -> bytes:
    """The secret half, PKCS #8."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: Ed25519PublicKey) -> bytes:
    """The public half."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_signing_key(path: Path) -> Ed25519PrivateKey:
    """The secret key of a file; ConfigError where it cannot be used or others can read it."""
    content = _read(path, "signing key")
    if path.stat().st_mode & _OTHERS:
        raise ConfigError(f"signing key {path}: other users can read it: chmod 600 {path}")
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(f"signing key {path}: not a PEM file of a secret key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"signing key {path}: not an Ed25519 key; provision the host anew")
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """The public key of a file; ConfigError where it cannot be used."""
    return parse_public_key(_read(path, "public key"), f"public key {path}")


def parse_public_key(pem: bytes, what: str) -> Ed25519PublicKey:
    """The public key of PEM bytes; ``what`` names them in the ConfigError."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{what}: not a public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{what}: not an Ed25519 key")
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """16 hexadecimal digits that people can compare: SHA-256 of the raw key, shortened."""
    digits = hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]
    return ":".join(digits[i : i + 4] for i in range(0, len(digits), 4))


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"{what} {path}: no such file: `vad-aggregator provision` makes a host's keys, "
            "`openssl genpkey -algorithm ed25519` any"
        ) from None
    except OSError as error:
        raise ConfigError(f"{what} {path}: cannot be read: {error.strerror or error}") from None
