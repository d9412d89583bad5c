import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.errors import ConfigError, StorageError
from edge.federation.identity import load_identity, own_signing_key
from edge.wire.keys import fingerprint, public_pem, write_once


def test_a_host_signs_with_the_key_it_made_first(tmp_path):
    key = own_signing_key(tmp_path / "keys" / "signing.key")
    again = own_signing_key(tmp_path / "keys" / "signing.key")
    assert again.private_bytes_raw() == key.private_bytes_raw()
    assert (tmp_path / "keys" / "signing.key").stat().st_mode & 0o077 == 0


def test_an_identity_holds_both_keys_and_shows_none(tmp_path):
    own = own_signing_key(tmp_path / "own")
    aggregator = Ed25519PrivateKey.generate().public_key()
    write_once(tmp_path / "pub", public_pem(aggregator), 0o644)
    identity = load_identity("door", signing_key=tmp_path / "own", aggregator_key=tmp_path / "pub")
    assert identity.fingerprint == fingerprint(own.public_key())
    assert identity.aggregator_fingerprint == fingerprint(aggregator)
    assert "signing_key" not in repr(identity)


def test_what_is_missing_is_named(tmp_path):
    own_signing_key(tmp_path / "own")
    with pytest.raises(ConfigError, match=r"absent.pub: no such file"):
        load_identity("door", signing_key=tmp_path / "own", aggregator_key=tmp_path / "absent.pub")
    with pytest.raises(ConfigError, match="participant"):
        load_identity("a/b", signing_key=tmp_path / "own", aggregator_key=tmp_path / "own")


def test_a_damaged_key_is_never_replaced_by_a_new_one(tmp_path):
    (tmp_path / "own").write_bytes(b"damaged")
    (tmp_path / "own").chmod(0o600)
    with pytest.raises(ConfigError, match="not a PEM"):
        own_signing_key(tmp_path / "own")
    assert (tmp_path / "own").read_bytes() == b"damaged"


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        own_signing_key(tmp_path / "file" / "key")
