"""Lists of actions: the 400 labels of Kinetics (Kay et al., 2017), or an operator's own."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from edge.errors import ConfigError
from export.backbones.text import read_prompts

KINETICS = "actions400.txt"
LONGEST = 300  # characters of a line


def read_actions(path: Path | None) -> tuple[str, ...]:
    """The lines of a file, each once, without empty ones; default: those of Kinetics.

    Raises ConfigError where it is no such list.
    """
    if path is None:
        return read_prompts(
            resources.files("export.words").joinpath(KINETICS).read_text("utf-8")
        ).texts
    try:
        found = read_prompts(path.read_text(encoding="utf-8-sig")).texts
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a list of actions ({error})") from error
    if len(longest := max(found, key=len)) > LONGEST:
        raise ConfigError(f"{path}: {longest[:40]!r}… is longer than {LONGEST} characters")
    return found
