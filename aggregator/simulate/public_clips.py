"""Clips of a simulation as public videos: what their labels and words say is known."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.public.text import HashedWords
from aggregator.public.videos import NORMAL, PublicSet, PublicVideo
from aggregator.simulate.problem import Video, shares_of

ABNORMAL = "abnormal"
"""The category of what is abnormal in nobody knows which way."""


def public_set(
    classes: tuple[str, ...],
    videos: Sequence[Video],
    captions: Sequence[str],
    categories: Sequence[str] | None = None,
) -> PublicSet:
    """The clips as distillation takes them; those that show nothing are left out.

    The frozen visual network is the values' own; words are hashed, so nothing is downloaded.
    """
    categories = categories or [ABNORMAL if video.abnormal else NORMAL for video in videos]
    texts = HashedWords().embed(captions)
    found = zip(videos, captions, categories, texts, strict=True)
    return PublicSet(
        classes,
        tuple(
            PublicVideo(
                name=video.name,
                abnormal=video.abnormal,
                category=category,
                objects=shares_of([] if video.objects is None else [video.objects]),
                caption=caption,
                values=video.values,
                visual=video.values,
                text=text,
            )
            for video, caption, category, text in found
            if len(video.values)
        ),
    )
