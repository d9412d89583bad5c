"""The model that a federation begins with: a safetensors file that says which student it is.

Its metadata hold ``student`` (the JSON of a ``StudentSpec``) and ``spec_versions`` (a JSON list of
the features that are its inputs).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from edge.domain.weights import Weights
from edge.errors import ConfigError, MalformedMessageError
from edge.wire.weights import decode_weights

STATISTICS_HEADS = frozenset({"clap", "temporal"})
"""Heads whose pseudo-labels need the mixture of all participants' segment norms."""


@dataclass(frozen=True, slots=True, eq=False)
class FirstModel:
    """Weights, and what they are weights of."""

    weights: Weights
    student: dict[str, Any]
    spec_versions: tuple[str, ...]

    @property
    def needs_mixture(self) -> bool:
        """Whether its participants label by the norms of all."""
        return self.student.get("head") in STATISTICS_HEADS


def read_first_model(path: Path) -> FirstModel:
    """ConfigError where the file cannot be used."""
    try:
        weights = decode_weights(path.read_bytes())
        with safe_open(path, "np") as file:
            about = file.metadata() or {}
        student = json.loads(about["student"])
        versions = tuple(map(str, json.loads(about["spec_versions"])))
    except OSError as error:
        raise ConfigError(f"model {path}: cannot be read: {error.strerror or error}") from None
    except (SafetensorError, MalformedMessageError) as error:
        raise ConfigError(f"model {path}: no weights in safetensors: {error}") from None
    except (LookupError, TypeError, ValueError):
        raise ConfigError(
            f"model {path}: its metadata do not say which student it is; make the file with "
            "`vad-edge learn --initial FILE`"
        ) from None
    return FirstModel(weights, student, versions)
