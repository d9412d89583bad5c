"""A small certificate authority for one site: its own key, the broker's and its clients' certs.

The authority's key stays in the aggregator's folder; whoever has it can name itself as any host.
Certificates carry their holder's name as common name, which mosquitto takes for the user name.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.errors import ConfigError
from edge.wire.keys import PUBLIC_MODE, SECRET_MODE, secret_pem, write_once

VALID = datetime.timedelta(days=3650)  # cameras are left alone for years
_CLOCK_SKEW = datetime.timedelta(days=1)  # a camera host's clock may be behind
CA_CERT, CA_KEY = "ca.crt", "ca.key"


@dataclass(frozen=True, slots=True, repr=False)
class Authority:
    """A certificate and the key that signs others."""

    cert: x509.Certificate
    key: EllipticCurvePrivateKey

    def issue(self, folder: Path, name: str, *, addresses: Sequence[str] = ()) -> None:
        """Write ``<name>.crt`` and ``<name>.key``; StorageError where they stand already.

        With ``addresses`` (DNS names, IP addresses) it is a server's certificate, else a client's.
        """
        key = generate_private_key(SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if addresses else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = _builder(name, self.cert.subject, key.public_key(), self.key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(_key_usage(authority=False), critical=True)
        if addresses:
            names = x509.SubjectAlternativeName(list(map(_general_name, addresses)))
            builder = builder.add_extension(names, critical=False)
        cert = builder.sign(self.key, SHA256()).public_bytes(Encoding.PEM)
        write_once(folder / f"{name}.key", secret_pem(key), SECRET_MODE)
        write_once(folder / f"{name}.crt", cert, PUBLIC_MODE)


def open_authority(folder: Path) -> Authority:
    """The authority of ``folder``; a new one is made there when there is none.

    ConfigError where its files cannot be used.
    """
    if not (folder / CA_CERT).exists():
        _make(folder)
    try:
        cert = x509.load_pem_x509_certificate((folder / CA_CERT).read_bytes())
        key = load_pem_private_key((folder / CA_KEY).read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"the certificate authority in {folder} cannot be used ({error}): restore {CA_CERT} "
            f"and {CA_KEY} from a backup, or provision every host anew in another folder"
        ) from None
    if not isinstance(key, EllipticCurvePrivateKey) or key.public_key() != cert.public_key():
        raise ConfigError(f"{folder / CA_KEY} is not the key of {folder / CA_CERT}")
    return Authority(cert, key)


def _make(folder: Path) -> None:
    key = generate_private_key(SECP256R1())
    name = "vad-edge authority"
    builder = _builder(name, _named(name), key.public_key(), key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
    builder = builder.add_extension(_key_usage(authority=True), critical=True)
    cert = builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
    write_once(folder / CA_KEY, secret_pem(key), SECRET_MODE)
    write_once(folder / CA_CERT, cert, PUBLIC_MODE)


def _builder(
    name: str,
    issuer: x509.Name,
    public_key: EllipticCurvePublicKey,
    issuer_key: EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key)
    own_id = x509.SubjectKeyIdentifier.from_public_key(public_key)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + VALID)
        .add_extension(own_id, critical=False)
        .add_extension(issuer_id, critical=False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        pass
    try:
        return x509.DNSName(address)
    except ValueError:
        raise ConfigError(f"broker address {address!r} is no host name in ASCII") from None


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
