"""Small public sets in which it is known which segments are abnormal."""

from __future__ import annotations

import numpy as np

from aggregator.distillation.options import Ased, TeacherOptions
from aggregator.public.videos import NORMAL, PublicSet, PublicVideo

CLASSES = ("person", "car")
WIDTH, WORDS = 4, 8
AWAY = 3.0  # an abnormal segment's first feature, in spreads
QUICK_TEACHER = TeacherOptions(width=16, heads=2, epochs=40, learning_rate=3e-3, most_segments=32)
QUICK = Ased(steps=20, batch_rows=64, teacher=QUICK_TEACHER)


def video(
    name: str,
    *,
    abnormal: bool | None = False,
    segments: int = 24,
    objects: tuple[float, float] = (1.0, 0.0),
    seed: int = 0,
) -> PublicVideo:
    """Noise; of an abnormal one the first four segments are ``AWAY``."""
    rng = np.random.default_rng([seed, *name.encode()])
    values = rng.normal(size=(segments, WIDTH)).astype(np.float32)
    if abnormal:
        values[:4, 0] += AWAY
    text = np.zeros(WORDS, np.float32)
    text[int(bool(abnormal))] = 1
    return PublicVideo(
        name=name,
        abnormal=abnormal,
        category="running" if abnormal else NORMAL,
        objects=np.array(objects, np.float32),
        caption="somebody runs" if abnormal else "people walk",
        values=values,
        visual=values,
        text=text,
    )


def some(normal: int = 8, abnormal: int = 8, *, segments: int = 24) -> tuple[PublicVideo, ...]:
    """So many of each."""
    return (
        *(video(f"normal-{n}", segments=segments) for n in range(normal)),
        *(video(f"abnormal-{n}", abnormal=True, segments=segments) for n in range(abnormal)),
    )


def a_set(*videos: PublicVideo) -> PublicSet:
    """Of these videos, or of ``some``."""
    return PublicSet(CLASSES, videos or some())
