"""What somebody has written of public videos: one JSON object, an entry for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge.errors import ConfigError


def read_entries(path: Path, form: str) -> dict[str, Any]:
    """What a JSON file says of each name; ``form`` is shown to whoever wrote another one.

    Raises ConfigError with the line, where there is one.
    """
    try:
        entries = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror or error}); check the path"
        ) from error
    except json.JSONDecodeError as error:
        place = f"{path}:{error.lineno}: column {error.colno}"
        raise ConfigError(f"{place}: no JSON ({error.msg}); mend it, as {form}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: no JSON ({error}); write {form}, in UTF-8") from error
    if not isinstance(entries, dict):
        raise ConfigError(f"{path}: must be an object, as {form}")
    return entries
