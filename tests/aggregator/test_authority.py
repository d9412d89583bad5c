import datetime

import pytest
from cryptography import x509

from aggregator.authority import open_authority
from edge.errors import ConfigError, StorageError


def test_an_authority_is_made_once(tmp_path):
    first, again = open_authority(tmp_path), open_authority(tmp_path)
    assert first.cert == again.cert
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600


def test_certificates_name_their_holder_and_cannot_sign_others(tmp_path):
    authority = open_authority(tmp_path)
    authority.issue(tmp_path, "door")
    authority.issue(tmp_path, "broker", addresses=["10.0.0.1", "broker.example"])
    now = datetime.datetime.now(datetime.UTC)
    for name in ("door", "broker"):
        cert = x509.load_pem_x509_certificate((tmp_path / f"{name}.crt").read_bytes())
        cert.verify_directly_issued_by(authority.cert)
        assert cert.subject.rfc4514_string() == f"CN={name}"
        assert not cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert cert.not_valid_before_utc < now - datetime.timedelta(hours=23)
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["broker.example"]
    assert list(map(str, names.get_values_for_type(x509.IPAddress))) == ["10.0.0.1"]


def test_a_certificate_is_never_issued_over_another(tmp_path):
    authority = open_authority(tmp_path)
    authority.issue(tmp_path, "door")
    with pytest.raises(StorageError, match="never overwritten"):
        authority.issue(tmp_path, "door")


@pytest.mark.parametrize("name", ["ca.key", "ca.crt"])
def test_a_broken_authority_is_never_replaced(tmp_path, name):
    open_authority(tmp_path)
    (tmp_path / name).write_bytes(b"broken")
    with pytest.raises(ConfigError, match="restore"):
        open_authority(tmp_path)


def test_a_key_of_another_authority_is_refused(tmp_path):
    open_authority(tmp_path / "a")
    open_authority(tmp_path / "b")
    (tmp_path / "a" / "ca.key").write_bytes((tmp_path / "b" / "ca.key").read_bytes())
    with pytest.raises(ConfigError, match="not the key of"):
        open_authority(tmp_path / "a")


def test_an_address_that_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no host name"):
        open_authority(tmp_path).issue(tmp_path, "broker", addresses=["bröker"])
