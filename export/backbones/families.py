"""Which library a network's name belongs to, and which weights were meant."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ConfigError
from export.backbones import clip, image, video
from export.backbones.original import Original
from export.backbones.weights import Checkpoint, Published, Random, Weights


@dataclass(frozen=True, slots=True)
class Family:
    """One library's networks."""

    library: str
    names: Callable[[], Sequence[str]]
    tags: Callable[[str], Sequence[str]]  # of published weights, by a network's name
    load: Callable[[str, Weights], Original]


FAMILIES = (
    Family("torchvision", video.names, video.tags, video.load),
    Family("open_clip", clip.names, clip.tags, clip.load),
    Family("timm", image.names, image.tags, image.load),
)
"""The first that knows a name has it; ``timm/NAME`` and its like say which is meant."""


def load_original(
    name: str, *, pretrained: str | None = None, random_seed: int | None = None
) -> Original:
    """A network by name, with published weights, those of a file, or random ones.

    Raises ConfigError for a name, tag or file that does not exist and where no weights are named,
    ModelError where they cannot be had or are not of this network.
    """
    family, own_name = find(name)
    weights = choose_weights(name, family.tags(own_name), pretrained, random_seed)
    return family.load(own_name, weights)


def find(name: str) -> tuple[Family, str]:
    """The library that has a network, and the name there; raises ConfigError if none has."""
    library, _, rest = name.partition("/")
    for family in FAMILIES:
        if family.library == library and rest in family.names():
            return family, rest
        if name in family.names():
            return family, name
    raise _unknown(name, FAMILIES)


def known_to(library: str, name: str) -> None:
    """Raises ConfigError where a library has no network of that name."""
    families = [family for family in FAMILIES if family.library == library]
    if not any(name in family.names() for family in families):
        raise _unknown(name, families)


def _unknown(name: str, families: Sequence[Family]) -> ConfigError:
    known = [each for family in families for each in family.names()]
    near = difflib.get_close_matches(name.rpartition("/")[2], known, n=3)
    hint = f": did you mean {', '.join(near)}?" if near else ""
    libraries = ", ".join(family.library for family in families)
    return ConfigError(f"no network {name!r} in {libraries}{hint}")


def choose_weights(
    name: str, tags: Sequence[str], pretrained: str | None, random_seed: int | None
) -> Weights:
    """What was meant by ``--pretrained TAG|FILE``, or by its absence.

    Raises ConfigError where neither a tag nor a file is meant, and where random weights were not
    asked for.
    """
    published = ", ".join(tags) or "none"
    if pretrained is None:
        if random_seed is None:
            raise ConfigError(
                f"{name}: name its weights with --pretrained, a file or one of the published:"
                f" {published}; --random is for tests alone"
            )
        return Random(random_seed)
    if pretrained in tags:
        return Published(pretrained)
    path = Path(pretrained)
    if path.is_file():
        return Checkpoint(path)
    if path.suffix or os.sep in pretrained:
        raise ConfigError(f"{name}: no file of weights at {path}; published are: {published}")
    raise ConfigError(f"{name}: no published weights {pretrained!r}; there are: {published}")
