"""Public videos as distillation takes them: objects, features, and what a caption says."""

from __future__ import annotations

from dataclasses import dataclass

from edge.domain.boxes import Floats
from edge.domain.weights import Shares
from edge.errors import DatasetError

NORMAL = "normal"
"""The category of a video in which nothing abnormal happens."""


@dataclass(frozen=True, slots=True, eq=False)
class PublicVideo:
    """One video of m ≥ 1 segments."""

    name: str
    abnormal: bool | None  # as the data set labels it; None: it does not say
    category: str  # of anomaly, or ``NORMAL``; "" where nobody says
    objects: Shares  # (C,) over the set's classes; all 0 where it shows none of them
    caption: str  # calibrated; "" where captions are not used
    values: Floats  # (m, d) the student's segment features, as a host would standardise them
    visual: Floats  # (m, v) of the frozen visual network Φ; may be ``values`` themselves
    text: Floats  # (t,) of the frozen text network Ψ on the caption


@dataclass(frozen=True, slots=True, eq=False)
class PublicSet:
    """Videos of equal widths d, v and t, by unique names."""

    classes: tuple[str, ...]  # C names, as the federation agreed on them; (): none
    videos: tuple[PublicVideo, ...]

    def __post_init__(self) -> None:
        """Raise DatasetError where the videos do not fit each other or the classes."""
        names = [video.name for video in self.videos]
        if len(set(names)) < len(names):
            raise DatasetError("public videos: two of one name; rename one")
        for video in self.videos:
            _check(video, len(self.classes))
        if len({_widths(video) for video in self.videos}) > 1:
            raise DatasetError("public videos: features of several widths; add them all alike")

    @property
    def widths(self) -> tuple[int, int, int]:
        """How wide values, visual features and texts are: d, v, t; 0 where there is no video."""
        return _widths(self.videos[0]) if self.videos else (0, 0, 0)


def _widths(video: PublicVideo) -> tuple[int, int, int]:
    return video.values.shape[1], video.visual.shape[1], video.text.shape[0]


def _check(video: PublicVideo, classes: int) -> None:
    fits = (
        video.objects.shape == (classes,)
        and video.values.ndim == video.visual.ndim == 2
        and len(video.values) == len(video.visual) > 0
        and video.text.ndim == 1
    )
    if not fits:
        shapes = [a.shape for a in (video.objects, video.values, video.visual, video.text)]
        raise DatasetError(
            f"public video {video.name}: objects, values, visual features and text of shapes "
            f"{shapes}, for {classes} classes; expected ({classes},), (m, d), (m, v), (t,), m ≥ 1"
        )
