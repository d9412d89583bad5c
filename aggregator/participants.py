"""Which hosts take part: their names and public keys, in one file that people can read and edit.

::

    # hosts of the federation and the keys that check what they sign; see `vad-aggregator provision`
    participants:
      door:
        fingerprint: 1f2e:...
        public_key: MCowBQYDK2VwAyEA...

A host that is deleted from the file is no longer believed after the aggregator's next start, loses
its place in a cluster when the round ends that is running then, and its topics when the broker's
access list is next made. Its certificate stays valid: whoever holds it can still connect, and under
its name if that is given to another host again.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.atomic import write_atomically
from edge.errors import ConfigError
from edge.wire.keys import fingerprint
from edge.wire.topics import check_id
from edge.yamlfile import YamlFile, read_yaml

PARTICIPANTS = "participants.yaml"
"""Its name, in the folder of keys."""

_HEADING = (
    "# hosts of the federation and the keys that check what they sign; see "
    "`vad-aggregator provision`\n"
)


def read_participants(path: Path) -> dict[str, Ed25519PublicKey]:
    """Participant → the key that checks its signatures; empty where there is no file.

    ConfigError names the line that cannot be used.
    """
    if not path.exists():
        return {}
    file = read_yaml(path, {})
    entries = file.values.get("participants")
    if not isinstance(entries, dict):
        raise ConfigError(f"{path}:1: expected participants: with a host below it")
    return {check_id(name, "participant"): _key(file, name) for name in entries}


def registered(path: Path) -> Mapping[str, Ed25519PublicKey] | None:
    """As `read_participants`; None where there is no file, from which nobody was deleted then."""
    return read_participants(path) if path.exists() else None


def write_participants(path: Path, keys: Mapping[str, Ed25519PublicKey]) -> None:
    """Replace the file; raises StorageError, and then the old file is still there."""
    entries = {
        name: {
            "fingerprint": fingerprint(key),
            "public_key": base64.b64encode(key.public_bytes_raw()).decode(),
        }
        for name, key in sorted(keys.items())
    }
    text = _HEADING + yaml.safe_dump({"participants": entries})
    write_atomically(path, text.encode())


def _key(file: YamlFile, name: str) -> Ed25519PublicKey:
    place = f"{file.path}:{file.line(['participants', name])}: participant {name}"
    try:
        raw = base64.b64decode(file.values["participants"][name]["public_key"], validate=True)
        key = Ed25519PublicKey.from_public_bytes(raw)
        written = file.values["participants"][name]["fingerprint"]
    except (LookupError, TypeError, ValueError):
        raise ConfigError(f"{place}: no usable public_key and fingerprint") from None
    if written != fingerprint(key):
        raise ConfigError(f"{place}: the fingerprint is {fingerprint(key)}, not what is written")
    return key
