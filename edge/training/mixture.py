"""Two groups of videos by a Gaussian mixture (CLAP, Alg. 1, line 6); needs scikit-learn."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

FEWEST_VIDEOS = 4  # below, two Gaussians in the plane mean nothing
COLLAPSED = 1e-5  # a variance this small (of standardised values) is a Gaussian on one point
STARTS = 5  # of the fit, the likeliest is kept


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Which of two groups each video is in; none where the footage does not show two."""

    second: npt.NDArray[np.bool_] | None  # (N,)
    why_not: str  # "" where there are two groups


def two_groups(statistics: npt.NDArray[np.float64], *, seed: int) -> Groups:
    """Split N ≥ 0 rows of statistics (N, 2), each column standardised first.

    There is one group alone where there are too few videos, a column does not vary, a component
    is empty or its variance collapses.
    """
    if len(statistics) < FEWEST_VIDEOS:
        return Groups(None, f"{len(statistics)} videos, at least {FEWEST_VIDEOS} are needed")
    spread = statistics.std(axis=0)
    if not (spread > COLLAPSED * np.maximum(1, np.abs(statistics).max(axis=0))).all():
        return Groups(None, "the videos do not differ")
    rows = (statistics - statistics.mean(axis=0)) / spread
    mixture = GaussianMixture(n_components=2, n_init=STARTS, max_iter=300, random_state=seed)
    with warnings.catch_warnings():
        # the likeliest fit so far is still the best guess; few distinct videos collapse below
        warnings.simplefilter("ignore", ConvergenceWarning)
        second = mixture.fit_predict(rows).astype(bool)
    if second.all() or not second.any():
        return Groups(None, "one group holds every video")
    if np.linalg.eigvalsh(mixture.covariances_).min() < COLLAPSED:
        return Groups(None, "one group collapses onto a single point")
    return Groups(second, "")
