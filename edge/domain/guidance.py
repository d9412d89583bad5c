"""What an operator says of actions: a polarity, and where and when it counts."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Corners: TypeAlias = tuple[tuple[float, float], ...]
"""A polygon, (x, y) in fractions of the picture's width and height, at least three."""

DAY_MIN = 24 * 60
_RANGE = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII)


class Polarity(StrEnum):
    """What a sentence makes of whoever it describes; the values are those of the wire."""

    NORMAL = "normal"
    ANOMALOUS = "anomalous"


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of every day by the host's local time; it may go on past midnight."""

    begin_min: int  # since midnight, in [0, 1440)
    end_min: int  # the first minute that is outside, in (0, 1440], never ``begin_min``

    @classmethod
    def parse(cls, text: str) -> Hours:
        """``22:00-06:00``; ValueError where that is no part of a day."""
        found = _RANGE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r}: hours are written as 22:00-06:00")
        begin_h, begin, end_h, end = map(int, found.groups())
        begin_min, end_min = 60 * begin_h + begin, 60 * end_h + end
        if max(begin, end) > 59 or begin_min >= DAY_MIN or end_min > DAY_MIN:
            raise ValueError(f"{text!r}: a day has 00:00 to 24:00")
        if begin_min == end_min:
            raise ValueError(f"{text!r}: from a minute to itself; all day is 00:00-24:00")
        return cls(begin_min, end_min or DAY_MIN)

    def hold(self, time_s: float) -> bool:
        """Whether this moment, in seconds since the epoch, is inside."""
        local = time.localtime(time_s)
        minute = 60 * local.tm_hour + local.tm_min
        if self.begin_min < self.end_min:
            return self.begin_min <= minute < self.end_min
        return minute >= self.begin_min or minute < self.end_min
