"""Which public videos look like a cluster's footage (FedVAD, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aggregator.public.videos import PublicVideo
from edge.domain.weights import Shares


def select(
    videos: Sequence[PublicVideo], objects: Shares | None, *, threshold: float
) -> tuple[PublicVideo, ...]:
    """Videos whose objects have a cosine above ``threshold`` to the cluster's ``objects`` (C,).

    All of them where the cluster's distribution is not known. None may be left, and then nothing
    is to be distilled: the nearest of videos that are not alike would teach what is normal
    somewhere else.
    """
    if objects is None or not objects.any():
        return tuple(videos)
    near = cosines(videos, objects) > threshold
    return tuple(video for video, chosen in zip(videos, near, strict=True) if chosen)


def cosines(videos: Sequence[PublicVideo], objects: Shares) -> npt.NDArray[np.float64]:
    """(V,) of each video's objects to ``objects`` (C,); 0 for a video that shows none of them."""
    shown = np.array([video.objects for video in videos], np.float64).reshape(-1, len(objects))
    lengths = np.linalg.norm(shown, axis=1) * np.linalg.norm(objects)
    products = shown @ objects.astype(np.float64)
    return np.asarray(np.divide(products, lengths, out=np.zeros(len(shown)), where=lengths > 0))
