"""The tubes of streets on disk, one file for each: whoever is interrupted films none twice.

::

    WORK/NAME-SETTINGS.safetensors   crops (N, n, S, S, 3), acts (N,), by_motion (N,)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from edge.atomic import write_atomically
from edge.domain.segment import SEGMENT_FRAMES
from edge.errors import DatasetError
from edge.ingest.synthetic import StreetOptions
from export.words.tiny.film import SIZE_PX, Tubes, film, settings


def reels(work: Path, streets: Mapping[str, StreetOptions], *, told: Callable[[], object]) -> Tubes:
    """The tubes of all streets by name; ``told`` after each.

    Raises DatasetError where a stored file cannot be read, StorageError where none can be written.
    """
    found = []
    for name, options in streets.items():
        path = work / f"{name}-{settings(options)}.safetensors"
        if not path.exists():
            write_atomically(path, _packed(film(options)))
        found.append(_read(path))
        told()
    return Tubes.joined(found)


def _packed(tubes: Tubes) -> bytes:
    arrays = {"crops": tubes.crops, "acts": tubes.acts, "by_motion": tubes.by_motion}
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def _read(path: Path) -> Tubes:
    try:
        arrays = load(path.read_bytes())
        tubes = Tubes(arrays["crops"], arrays["acts"], arrays["by_motion"])
    except (OSError, SafetensorError, LookupError) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); take it away") from error
    if tubes.crops.shape != (len(tubes), SEGMENT_FRAMES, SIZE_PX, SIZE_PX, 3):
        raise DatasetError(f"{path}: crops {tubes.crops.shape} are of other tubes; take it away")
    return tubes
