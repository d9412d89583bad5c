"""Objects by the classes that a federation has agreed on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

OTHER = "other"
"""A federation that has a class of this name hears of all that fits none of the others."""


def counts_of(seen: Mapping[str, int], classes: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Objects of each of C classes, (C,); what fits none of them counts as ``OTHER``, if at all.

    ``seen``: class names as a detector has them → how many objects.
    """
    counts = dict.fromkeys(classes, 0)
    for name, count in seen.items():
        place = name if name in counts else OTHER
        if place in counts:
            counts[place] += count
    return np.array(list(counts.values()), np.float64)
