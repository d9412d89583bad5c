from pathlib import Path

import pytest

from edge.errors import ConfigError, ModelError
from edge.model.folder import replace_manifest, write_folder
from edge.model.signature import SIGNATURE, check_signature, sign_folder, signer, unsign_folder

ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
keys_room = pytest.importorskip("edge.wire.keys")


def keypair(folder: Path, name: str) -> tuple[Path, Path]:
    key = ed25519.Ed25519PrivateKey.generate()
    secret, public = folder / f"{name}.key", folder / f"{name}.pub"
    keys_room.write_once(secret, keys_room.secret_pem(key), 0o600)
    keys_room.write_once(public, keys_room.public_pem(key.public_key()), 0o644)
    return secret, public


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return keypair(tmp_path, "mine")


@pytest.fixture
def signed(tmp_path: Path, keys: tuple[Path, Path]) -> Path:
    folder = tmp_path / "student"
    write_folder(folder, {"a": b"1"}, lambda _: {"format": "test", "files": {"a": "x"}})
    sign_folder(folder, signer(keys[0]))
    return folder


def test_what_the_holder_signed_is_believed(signed: Path, keys):
    check_signature(signed, keys[1])
    sign_folder(signed, signer(keys[0]))  # again
    check_signature(signed, keys[1])


def test_another_manifest_is_not(signed: Path, keys):
    replace_manifest(signed, {"format": "test", "files": {"a": "y"}})
    with pytest.raises(ModelError, match="not by the holder"):
        check_signature(signed, keys[1])


def test_another_key_is_not(signed: Path, tmp_path: Path):
    _, other = keypair(tmp_path, "other")
    with pytest.raises(ModelError, match="not by the holder"):
        check_signature(signed, other)


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"\xff" * 63, b"x" * 1000])
def test_what_is_no_signature_is_not(signed: Path, keys, content: bytes):
    (signed / SIGNATURE).write_bytes(content)
    with pytest.raises(ModelError, match="not by the holder"):
        check_signature(signed, keys[1])


def test_an_unsigned_folder_says_so(signed: Path, keys):
    assert unsign_folder(signed)
    assert not unsign_folder(signed)
    with pytest.raises(ModelError, match="not signed"):
        check_signature(signed, keys[1])


def test_keys_that_cannot_be_used_are_refused(signed: Path, keys, tmp_path: Path):
    secret, public = keys
    for path in (tmp_path / "nobody", public):
        path.touch(0o600)
        path.chmod(0o600)
        with pytest.raises(ConfigError, match="signing key"):
            signer(path)
    with pytest.raises(ConfigError, match="public key"):
        check_signature(signed, secret)
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        signer(secret)


def test_a_replaced_manifest_is_whole(signed: Path):
    replace_manifest(signed, {"format": "test", "files": {}, "providers": {"CPU": 1}})
    assert (signed / "manifest.json").read_bytes().startswith(b'{\n "format": "test"')
    assert {path.name for path in signed.iterdir()} == {"a", "manifest.json", SIGNATURE}
