"""Generated streets told in words, from the generator's truth."""

from __future__ import annotations

from aggregator.simulate.street_clips import Deed, StreetClip

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
WORDS: dict[Deed, tuple[str, str]] = {  # of one, and of several
    ("person", "walking"): ("person walks", "people walk"),
    ("person", "standing"): ("person stands still", "people stand still"),
    ("person", "browsing"): ("person looks at goods", "people look at goods"),
    ("person", "running"): ("person runs", "people run"),
    ("person", "loitering"): ("person hangs about", "people hang about"),
    ("person", "wrong_way"): ("person walks against the flow", "people walk against the flow"),
    ("person", "dropping"): ("person puts down a bag", "people put down bags"),
    ("bicycle", "cycling"): ("person rides a bicycle", "people ride bicycles"),
    ("car", "driving"): ("car drives", "cars drive"),
    ("car", "wrong_way"): ("car drives the wrong way", "cars drive the wrong way"),
    ("bag", "left"): ("bag lies alone", "bags lie alone"),
}


def caption(clip: StreetClip) -> str:
    """``three people walk, one person rides a bicycle``: all that happens, commonest first."""
    told = sorted(clip.deeds.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{_number(count)} {WORDS[deed][count > 1]}" for deed, count in told)


def _number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)
