"""A video as a camera host would see it: sampled, scaled down, its objects followed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edge.domain.frame import Frame
from edge.errors import ConfigError
from edge.ingest.feed import read_frames
from edge.ingest.file import FileSource
from edge.ingest.source import Pictures
from edge.model.artifact import Sampling
from edge.perception.detector import Detector
from edge.perception.network import Network
from edge.perception.perception import Percept, Perception
from edge.perception.tracker import TrackerSettings

ANALYSIS_HZ = 5.0  # as on a host by default
BEGIN_CONFIDENCE = 0.25  # from which on a detection begins a track, as on a host by default


@dataclass(frozen=True, slots=True)
class Viewing:
    """How footage is looked at; equal viewings of equal footage show the same."""

    analysis_hz: float = ANALYSIS_HZ  # frames a second; slower footage is seen whole
    max_width_px: int = 640  # of an analysed frame
    detector: Path | None = None  # ONNX; None: whatever moves is an object
    labels: Path | None = None  # of the detector, one class name a line

    def __post_init__(self) -> None:
        """Refuse labels of nothing."""
        if self.labels is not None and self.detector is None:
            raise ConfigError("--labels goes with --detector FILE: motion knows no classes")

    @property
    def sampling(self) -> Sampling:
        """What of it is told to whoever must see alike."""
        return Sampling(self.analysis_hz, self.max_width_px)

    def load_detector(self) -> Detector | None:
        """The network that finds objects; raises ModelError where it cannot be used."""
        return None if self.detector is None else Network(self.detector, labels=self.labels)


@dataclass(frozen=True, slots=True)
class Seen:
    """One analysed frame."""

    number: int  # of its picture in the video
    frame: Frame
    percept: Percept | None  # None: nobody asked what is in it


class Watch:
    """One pass over one video; nobody was seen before."""

    def __init__(
        self,
        path: Path,
        viewing: Viewing,
        *,
        detector: Detector | None,
        follow: bool = True,
        withheld: int = 0,
    ) -> None:
        """For one video.

        Args:
            path: of the video.
            viewing: how it is looked at.
            detector: the viewing's, loaded.
            follow: what is in the frames is of use.
            withheld: so many of the first analysed frames are not shown.

        """
        self._source = _CountedFile(path)
        self._viewing = viewing
        self._withheld = withheld
        self._perception = _perception(detector) if follow else None

    @property
    def pictures(self) -> int:
        """Pictures of the video that were decoded so far."""
        return self._source.decoded

    def __iter__(self) -> Iterator[Seen]:
        """Every analysed frame; raises SourceError where the video cannot be read."""
        viewing = self._viewing
        frames = read_frames(
            self._source,
            camera=self._source.name,
            analysis_hz=viewing.analysis_hz,
            max_width=viewing.max_width_px,
        )
        for frame in islice(frames, self._withheld, None):
            percept = self._perception.observe([frame])[0] if self._perception else None
            yield Seen(self._source.decoded - 1, frame, percept)


class _CountedFile(FileSource):
    """A file that knows how many pictures were taken out of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.decoded = 0

    def pictures(self, stop: threading.Event) -> Pictures:
        """See `Source.pictures`."""
        for picture in super().pictures(stop):
            self.decoded += 1
            yield picture


def _perception(detector: Detector | None) -> Perception:
    if detector is None:
        return Perception()
    return Perception(detector, tracking=TrackerSettings.beginning_at(BEGIN_CONFIDENCE))
