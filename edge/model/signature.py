"""Who vouches for an exported folder: an Ed25519 signature of its manifest (RFC 8032).

The manifest names the digests of all other files, so its signature covers the whole folder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from edge.atomic import refused, write_atomically
from edge.errors import ConfigError, ModelError
from edge.model.folder import MANIFEST

SIGNATURE = "manifest.sig"  # 64 bytes, beside the manifest
Sign: TypeAlias = Callable[[bytes], bytes]
MISSING = "signatures need the federation extra: pip install 'vad-edge[federation]'"


def signer(secret_key: Path) -> Sign:
    """What signs with a key; raises ConfigError where the key cannot be used."""
    try:
        from edge.wire.keys import read_signing_key  # an extra that the live process can do without
    except ModuleNotFoundError as error:
        raise ConfigError(f"{secret_key}: {MISSING}") from error
    return read_signing_key(secret_key).sign


def sign_folder(folder: Path, sign: Sign) -> None:
    """Sign the manifest as it stands; raises StorageError."""
    write_atomically(folder / SIGNATURE, sign((folder / MANIFEST).read_bytes()))


def unsign_folder(folder: Path) -> bool:
    """Take a signature away whose manifest is another by now; whether there was one.

    Raises StorageError where it cannot be taken away.
    """
    try:
        (folder / SIGNATURE).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise refused(folder / SIGNATURE, error) from error
    return True


def check_signature(folder: Path, public_key: Path) -> None:
    """Raises ModelError unless the holder of the key signed this very manifest.

    Raises ConfigError where the public key cannot be read.
    """
    try:
        from cryptography.exceptions import InvalidSignature

        from edge.wire.keys import read_public_key
    except ModuleNotFoundError as error:
        raise ModelError(f"{folder}: {MISSING}") from error
    key = read_public_key(public_key)
    try:
        key.verify((folder / SIGNATURE).read_bytes(), (folder / MANIFEST).read_bytes())
    except OSError as error:
        raise ModelError(
            f"{folder}: not signed ({error.filename}: {error.strerror}); have it signed by the "
            f"holder of {public_key}, or drop signed_by"
        ) from error
    except InvalidSignature:
        raise ModelError(
            f"{folder}: its signature is not by the holder of {public_key}: it was changed, or "
            "somebody else made it; do not use it"
        ) from None
