"""A teacher's life: it learns from the selected videos, says what it thinks of them, and is frozen.

The paper leaves open what it learns by. Here: by video labels, as multiple instances. The highest
scores of a video speak for it (Sultani et al., CVPR 2018), all segments of a normal one must be
calm, and the lower half of an abnormal one. Where the videos have no labels of both kinds, it
learns to take noise away from segments, by what surrounds them and what is said of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from aggregator.distillation.bags import Bags, bags_of, epoch_of, turns_of
from aggregator.distillation.options import TeacherOptions
from aggregator.distillation.teacher import Teacher
from aggregator.public.videos import PublicVideo
from edge.domain.boxes import Floats
from edge.errors import TrainingError
from edge.model.spec import PENULTIMATE

LEAST_SPREAD = 1e-6  # below, a column says nothing and stays as small as it is


@dataclass(frozen=True, slots=True, eq=False)
class Knowledge:
    """What a teacher makes of videos, in their order."""

    z: tuple[Floats, ...]  # (m, 32) each; over all segments every column has mean 0 and spread 1
    abnormal: tuple[Floats, ...] | None  # (m,) each in [0, 1]; None: no labels have taught it
    loss: float  # mean of its last epoch


def teach(
    videos: Sequence[PublicVideo], options: TeacherOptions, *, captions: bool, seed: int
) -> Knowledge:
    """Train a new teacher on ``videos``, and ask it about all of them; deterministic for a seed.

    Without ``captions`` it does not read. Raises TrainingError where its loss leaves the finite
    numbers.
    """
    labelled = [video for video in videos if video.abnormal is not None]
    by_labels = len({video.abnormal for video in labelled}) == 2
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        teacher = _new(videos, options, captions=captions)
        loss = _train(teacher, labelled if by_labels else videos, options, by_labels=by_labels)
    z, scores = zip(*(_asked(teacher, video, options) for video in videos), strict=True)
    return Knowledge(_of_unit_spread(z), scores if by_labels else None, loss)


def by_instances(teacher: Teacher, bags: Bags, top_share: float) -> Tensor:
    """Cross entropy of the videos' highest segments, calm segments, and pooled Z."""
    logits, z = teacher(bags.visual, bags.text, bags.present)
    ranked = logits.masked_fill(~bags.present, -math.inf).sort(dim=1, descending=True).values
    count = bags.present.sum(dim=1, keepdim=True)  # (B, 1)
    rank = torch.arange(ranked.shape[1])  # (L,)
    top = rank < (count * top_share).ceil()
    calm = (rank >= bags.label.unsqueeze(1) * (count / 2).ceil()) & (rank < count)
    highest = ranked.where(top, 0).sum(dim=1) / top.sum(dim=1)
    disquiet = functional.softplus(ranked.where(calm, -math.inf)).sum(dim=1)
    each = (
        functional.binary_cross_entropy_with_logits(highest, bags.label, reduction="none")
        + disquiet / calm.sum(dim=1).clamp(min=1)
        + functional.binary_cross_entropy_with_logits(
            teacher.video_logits(z, bags.present), bags.label, reduction="none"
        )
    )
    return (each * bags.weight).sum() / bags.weight.sum()


def by_restoring(teacher: Teacher, bags: Bags, noise: float) -> Tensor:
    """Mean squared error of segments that were disturbed, in spreads, restored from their Z."""
    spread = teacher.look.input_scale
    disturbed = bags.visual + noise * spread * torch.randn_like(bags.visual)
    _, z = teacher(disturbed, bags.text, bags.present)
    clean = (bags.visual - teacher.look.input_mean) / spread
    away: Tensor = (teacher.restore(z) - clean).square().mean(dim=-1)
    return away[bags.present].mean()


def _new(videos: Sequence[PublicVideo], options: TeacherOptions, *, captions: bool) -> Teacher:
    """A teacher to which segments and texts of these videos have mean 0 and spread 1."""
    visual = np.concatenate([video.visual for video in videos])
    text = np.stack([video.text for video in videos])
    teacher = Teacher(
        visual.shape[1],
        text.shape[1] if captions else 0,
        width=options.width,
        heads=options.heads,
        dropout=options.dropout,
    )
    _standardise(teacher.look.input_mean, teacher.look.input_scale, visual)
    if teacher.read is not None:
        _standardise(teacher.read.input_mean, teacher.read.input_scale, text)
    return teacher


def _standardise(mean: Tensor, scale: Tensor, rows: Floats) -> None:
    spread = rows.std(axis=0)
    mean.copy_(torch.from_numpy(rows.mean(axis=0)))
    scale.copy_(torch.from_numpy(np.where(spread > LEAST_SPREAD, spread, 1)))


def _train(
    teacher: Teacher, videos: Sequence[PublicVideo], options: TeacherOptions, *, by_labels: bool
) -> float:
    """Train in place; the mean loss of the last epoch."""
    rate, decay = options.learning_rate, options.weight_decay
    optimiser = torch.optim.Adam(teacher.parameters(), lr=rate, weight_decay=decay)
    losses: list[float] = []
    for _ in range(options.epochs):
        losses = []
        for bags in epoch_of(
            videos, size=options.batch_videos, most_segments=options.most_segments
        ):
            if by_labels:
                loss = by_instances(teacher, bags, options.top_share)
            else:
                loss = by_restoring(teacher, bags, options.noise)
            losses.append(_step(optimiser, loss))
    return sum(losses) / len(losses)


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> float:
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrainingError(
            f"the teacher's loss is {value}: lower its learning_rate, or look at the public set's "
            "features"
        )
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    optimiser.step()
    return value


def _asked(teacher: Teacher, video: PublicVideo, options: TeacherOptions) -> tuple[Floats, Floats]:
    """Z (m, 32) and scores (m,) of a video, turn by turn."""
    teacher.eval()
    z = np.zeros((len(video.visual), PENULTIMATE), np.float32)
    scores = np.zeros(len(video.visual), np.float32)
    for turn in turns_of(len(video.visual), options.most_segments):
        seen = bags_of([video], [turn], [1.0])
        with torch.inference_mode():
            logits, found = teacher(seen.visual, seen.text, seen.present)
        z[turn], scores[turn] = found[0].numpy(), torch.sigmoid(logits[0]).numpy()
    return z, scores


def _of_unit_spread(z: Sequence[Floats]) -> tuple[Floats, ...]:
    """Shifted and scaled alike; a column that is constant becomes 0."""
    rows = np.concatenate(z)
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    scale = np.divide(1, spread, out=np.zeros_like(spread), where=spread > LEAST_SPREAD)
    return tuple((each - mean) * scale for each in z)
