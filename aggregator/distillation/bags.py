"""Public videos as padded tensors.

A video of more segments than a teacher sees at once is seen in turns of every s-th segment, so
that each turn shows the whole of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from aggregator.public.videos import PublicVideo


@dataclass(frozen=True, slots=True, eq=False)
class Bags:
    """B videos of up to L segments."""

    visual: Tensor  # (B, L, v)
    text: Tensor  # (B, t)
    present: Tensor  # (B, L) False for padding
    label: Tensor  # (B,) 1 abnormal, else 0
    weight: Tensor  # (B,) so that either label counts as much in an epoch


def turns_of(segments: int, most: int) -> list[slice]:
    """As few turns as show at most ``most`` segments each; every segment is in one."""
    stride = -(-segments // most)
    return [slice(first, None, stride) for first in range(stride)]


def epoch_of(videos: Sequence[PublicVideo], *, size: int, most_segments: int) -> Iterator[Bags]:
    """All videos in an order drawn by torch's generator, ``size`` at once, each in one turn."""
    labels = Counter(video.abnormal for video in videos)
    for chosen in torch.split(torch.randperm(len(videos)), size):
        picked = [videos[index] for index in chosen.tolist()]
        seen = []
        for video in picked:
            turns = turns_of(len(video.visual), most_segments)
            seen.append(turns[int(torch.randint(len(turns), ()))])
        yield bags_of(picked, seen, [len(videos) / labels[video.abnormal] for video in picked])


def bags_of(
    videos: Sequence[PublicVideo], turns: Sequence[slice], weights: Sequence[float]
) -> Bags:
    """One turn of each of B videos."""
    visual = [torch.from_numpy(v.visual[rows]) for v, rows in zip(videos, turns, strict=True)]
    padded = pad_sequence(visual, batch_first=True)
    lengths = torch.tensor([len(rows) for rows in visual])
    return Bags(
        visual=padded,
        text=torch.from_numpy(np.stack([video.text for video in videos])),
        present=torch.arange(padded.shape[1]) < lengths.unsqueeze(1),
        label=torch.tensor([float(video.abnormal is True) for video in videos]),
        weight=torch.tensor(weights),
    )
