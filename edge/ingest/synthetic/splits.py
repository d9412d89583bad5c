"""A street as a data set: what to learn from and what to be tested on.

All clips of a set show the same scene (``scene_seed``); training and test clips have other
people. Training clips are normal throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge.ingest.synthetic.behaviour import ANOMALIES
from edge.ingest.synthetic.street import StreetOptions

TEST_SEED_OFFSET = 500  # so many training clips may there be before seeds meet


@dataclass(frozen=True, slots=True)
class Splits:
    """The clips of one street by name."""

    train: dict[str, StreetOptions]
    test: dict[str, StreetOptions]


def street_splits(
    street: StreetOptions,
    *,
    train_clips: int = 4,
    test_clips: int = 6,
    clip_s: float = 60.0,
    normal_s: float = 8.0,
) -> Splits:
    """Clips of ``clip_s`` each of the street that ``street`` names.

    Its own anomalies are planted in the test clips, all that its kind knows where it names none;
    every test clip begins with at least ``normal_s`` of normal footage. Its ``duration_s`` and
    ``planted`` are not used. The first clip's seed is 1000 times the street's.
    """
    anomalies = street.anomalies or ANOMALIES[street.kind]
    plain = replace(
        street, duration_s=clip_s, planted=(), anomalies=(), normal_s=0.0, seed=1000 * street.seed
    )
    tested = replace(
        plain, anomalies=anomalies, normal_s=normal_s, seed=plain.seed + TEST_SEED_OFFSET
    )
    return Splits(_numbered(plain, train_clips), _numbered(tested, test_clips))


def _numbered(first: StreetOptions, count: int) -> dict[str, StreetOptions]:
    return {f"{n + 1:02d}": replace(first, seed=first.seed + n) for n in range(count)}
