"""The one place where passwords leave an address before anybody sees it."""

from __future__ import annotations

import re

HIDDEN = "***"

# Greedy to the last "@": a password with an unescaped "@" or "/" is hidden as a whole, and an
# address that merely looks like one loses a part of its path instead of leaking a secret.
_LOGIN = re.compile(r"^((?:[a-z][a-z0-9+.-]*://)?[^:/@]*):.*@", re.IGNORECASE | re.DOTALL)
_PARAMETER = re.compile(
    r"\b((?:pass(?:word|wd)?|pwd|token|secret|auth|key)=)[^&;/?#\s]+", re.IGNORECASE
)


def redact(url: str) -> str:
    """Hide the passwords of an address: in the login part or in a ``password=`` parameter."""
    without_login = _LOGIN.sub(rf"\1:{HIDDEN}@", url)
    return _PARAMETER.sub(rf"\1{HIDDEN}", without_login)
