"""How unusual a frame is, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """The feature that departed furthest from normal."""

    feature: str  # "speed"
    value: float
    usual: float  # the bound of what is usual, same unit
    unit: str  # "heights/s", "" for a pure number
    above: bool  # True: larger than usual; False: smaller than usual
    terms: tuple[tuple[str, float], ...] = ()  # what each term says of the region, decades; or none

    def __str__(self) -> str:
        """``speed 4.1 heights/s, usual ≤ 1.6 (object-speed 3.2, words 0.4)``."""
        unit = f" {self.unit}" if self.unit else ""
        sign = "≤" if self.above else "≥"
        told = ", ".join(f"{name} {level:.1f}" for name, level in self.terms)
        said = f"{self.feature} {self.value:.3g}{unit}, usual {sign} {self.usual:.3g}"
        return f"{said} ({told})" if told else said


@dataclass(frozen=True, slots=True)
class RegionScore:
    """The score of one object, or of the scene where no single object is to blame."""

    track_id: int | None  # None: the scene term
    label: str  # the detector's class name, "object" where it has none, "scene"
    box_xyxy: tuple[float, float, float, float]  # pixels of the analysed frame
    score: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class FrameScore:
    """The causal, smoothed anomaly score of one frame and of what is in it.

    A score is in decades of surprise: 3 means that one normal segment in a thousand of this
    camera looks as unusual. It is comparable between cameras.
    """

    camera: str
    index: int  # of the frame
    time_s: float
    width: int  # of the analysed frame, pixels
    height: int
    score: float  # the frame's: the largest of its regions, smoothed causally
    regions: tuple[RegionScore, ...]  # most unusual first
    student: float | None = None  # what a student said of the scene segment in force, as it says it
