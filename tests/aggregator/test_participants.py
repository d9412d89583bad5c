import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aggregator.participants import read_participants, write_participants
from edge.errors import ConfigError, StorageError

KEYS = {name: Ed25519PrivateKey.generate().public_key() for name in ("yard", "door")}


def test_keys_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "participants.yaml"
    assert read_participants(path) == {}
    write_participants(path, KEYS)
    assert read_participants(path) == KEYS
    assert list(read_participants(path)) == ["door", "yard"]


def test_a_key_that_does_not_match_its_fingerprint_is_named_with_its_line(tmp_path):
    path = tmp_path / "participants.yaml"
    write_participants(path, KEYS)
    good = path.read_text()
    entries = yaml.safe_load(good)["participants"]
    path.write_text(good.replace(entries["yard"]["public_key"], entries["door"]["public_key"]))
    line = good[: good.index("yard")].count("\n") + 1
    with pytest.raises(ConfigError, match=rf"participants.yaml:{line}: .*yard.*fingerprint"):
        read_participants(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "participants: 3\n",
        "participants:\n  door: 3\n",
        "participants:\n  door: {public_key: 5, fingerprint: x}\n",
        "participants:\n  door: {public_key: AAAA, fingerprint: x}\n",
        "participants:\n  a/b: {}\n",
    ],
)
def test_lists_that_cannot_be_used_are_refused(tmp_path, text):
    path = tmp_path / "participants.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        read_participants(path)


def test_a_list_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        write_participants(tmp_path / "file" / "participants.yaml", KEYS)
