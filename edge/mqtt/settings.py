"""Where the broker is, who we are, and the errors of getting there."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import BrokerRefusedError


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of an encrypted connection."""

    ca_file: Path | None = None  # None: the certificate authorities of the system
    cert_file: Path | None = None  # the client's certificate, where the broker asks for one
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Load the files; BrokerRefusedError names the one that cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise refused(f"the CA file {self.ca_file} cannot be used", cause(error)) from None
        if self.cert_file is not None:
            try:
                context.load_cert_chain(self.cert_file, self.key_file)
            except (OSError, ssl.SSLError) as error:
                files = f"{self.cert_file} with {self.key_file or 'the key inside it'}"
                raise refused(f"client certificate {files} fails", cause(error)) from None
        return context


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Where the broker is and who we are."""

    host: str
    port: int
    client_id: str  # two processes with one id throw each other out
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    keepalive_s: int = 20
    connect_timeout_s: float = 10.0

    @property
    def place(self) -> str:
        """``host:port`` for messages."""
        return f"{self.host}:{self.port}"


class SaidNoError(BrokerRefusedError):
    """Somebody answered, and the answer was no: asking again soon changes nothing."""


def refused(what: str, reason: str) -> SaidNoError:
    """The error that says what was refused, and the other side's reason."""
    return SaidNoError(f"MQTT: {what}: {reason}", reason)


def cause(error: Exception) -> str:
    """The cause in a few words, without OpenSSL's source positions."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
