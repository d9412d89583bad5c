"""Objects of which nobody can say yet what they do, while words may call it normal.

Cells and kinematics speak of an object at once, its action is known only with its second look, 0.2
to 0.4 s later. An alarm that is raised in between cannot be taken back, so what a *normal* sentence
may be about is held back until its action is known, and for ``HOLD_S`` at most: what is dangerous
is told that much later, where such a sentence holds, and nowhere else.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge.domain.segment import MAX_GAP_S

Keys = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

HOLD_S = 1.0
"""From the first sight of an object: two looks at the slowest usual rate of 2 frames a second, or a
little waiting where looks are short."""


class Newcomers:
    """Who has just come into one camera's sight."""

    def __init__(self) -> None:
        self._seen_s: dict[int, tuple[float, float]] = {}  # of a track, first and latest

    def step(self, track_id: Keys, time_s: float) -> Mask:
        """The next frame, which shows N tracks: who came less than ``HOLD_S`` ago, (N,).

        A track that was out of sight for longer than ``MAX_GAP_S`` comes anew.
        """
        recent = {key: seen for key, seen in self._seen_s.items() if time_s - seen[1] <= MAX_GAP_S}
        here = {key: (recent.get(key, (time_s,))[0], time_s) for key in track_id.tolist()}
        self._seen_s = recent | here
        age_s = np.array([time_s - first_s for first_s, _ in here.values()])
        return np.asarray(age_s < HOLD_S, np.bool_)
