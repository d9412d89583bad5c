import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.errors import ConfigError, StorageError
from edge.wire.keys import (
    fingerprint,
    public_pem,
    read_public_key,
    read_signing_key,
    secret_pem,
    write_once,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def test_keys_are_read_as_they_were_written(tmp_path):
    write_once(tmp_path / "k", secret_pem(KEY), 0o600)
    write_once(tmp_path / "p", public_pem(KEY.public_key()), 0o644)
    assert read_signing_key(tmp_path / "k").private_bytes_raw() == bytes(32)
    assert read_public_key(tmp_path / "p") == KEY.public_key()


def test_a_file_is_made_once_and_leaves_nothing_beside_it(tmp_path):
    write_once(tmp_path / "k", b"first", 0o600)
    with pytest.raises(StorageError, match="never overwritten"):
        write_once(tmp_path / "k", b"second", 0o600)
    assert (tmp_path / "k").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


def test_a_secret_is_its_owners_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        write_once(tmp_path / "k", secret_pem(KEY), 0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600


def test_a_secret_that_others_can_read_is_refused(tmp_path):
    write_once(tmp_path / "k", secret_pem(KEY), 0o600)
    (tmp_path / "k").chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_signing_key(tmp_path / "k")


def test_files_that_are_no_keys_are_named(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        read_signing_key(tmp_path / "missing")
    write_once(tmp_path / "junk", b"junk", 0o600)
    write_once(tmp_path / "ec", secret_pem(generate_private_key(SECP256R1())), 0o600)
    for name, why in (("junk", "not a PEM"), ("ec", "not an Ed25519")):
        with pytest.raises(ConfigError, match=why) as caught:
            read_signing_key(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    with pytest.raises(ConfigError, match="not a public key"):
        read_public_key(tmp_path / "junk")


def test_a_fingerprint_tells_keys_apart():
    other = Ed25519PrivateKey.generate().public_key()
    assert fingerprint(KEY.public_key()) == "139e:3940:e64b:5491"
    assert fingerprint(other) != fingerprint(KEY.public_key())


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot write"):
        write_once(tmp_path / "file" / "k", b"x", 0o600)
