"""What the two stages learn by."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

ROUNDING = 1e-6  # means of equal scores differ by less


def mil_ranking(
    scores: Tensor, counted: Tensor, abnormal: Tensor, *, sparsity: float, smoothness: float
) -> Tensor:
    """The strangest segment of an abnormal video above that of a normal one, by a margin of 1.

    Sultani et al., CVPR 2018, Eqs. 6 and 7: the hinge is averaged over all pairs of videos, the
    two penalties are summed over an abnormal video's segments. ``scores`` and ``counted`` are
    (N, L), ``abnormal`` is (N,) and holds both classes.
    """
    strangest = scores.masked_fill(counted == 0, float("-inf")).amax(dim=1)
    apart = strangest[abnormal].unsqueeze(1) - strangest[~abnormal].unsqueeze(0)
    inside, real = scores[abnormal], counted[abnormal]
    steps = (inside[:, 1:] - inside[:, :-1]).square() * real[:, 1:]  # padding comes last
    uneven, high = steps.sum(dim=1).mean(), (inside * real).sum(dim=1).mean()
    return torch.relu(1 - apart).mean() + smoothness * uneven + sparsity * high


def soft_labels(
    scores: Tensor, counted: Tensor, abnormal: Tensor, *, epsilon: int, min_max: bool
) -> Tensor:
    """A teacher's scores (N, L) as labels in [0, 1] (Eq. 6); 0 in normal videos and padding.

    Moving average over 2 ``epsilon`` + 1 segments, or as many of them as the video has (the
    paper divides by 2 epsilon), then scaled per video; where all scores are equal, to zeros.
    """
    kernel = torch.ones(1, 1, 2 * epsilon + 1, dtype=scores.dtype)
    sums, counts = (
        functional.conv1d(each.unsqueeze(1), kernel, padding=epsilon).squeeze(1)
        for each in (scores * counted, counted)
    )
    labels = sums / counts.clamp(min=1)
    if min_max:
        low = labels.masked_fill(counted == 0, float("inf")).amin(dim=1, keepdim=True)
        high = labels.masked_fill(counted == 0, float("-inf")).amax(dim=1, keepdim=True)
        span = high - low
        even = span <= ROUNDING
        labels = ((labels - low) / span.masked_fill(even, 1)).masked_fill(even, 0)
    return (labels * counted * abnormal.unsqueeze(1)).clamp(0, 1)


def contrast(teacher: Tensor, student: Tensor, anomalous: Tensor, *, tau: float) -> Tensor:
    """InfoNCE (Eq. 7): a segment's features agree, those of the other class do not.

    ``teacher`` and ``student`` are (N, D), ``anomalous`` is (N,). Each class's term is its mean;
    0 where either class is empty.
    """
    if anomalous.all() or not anomalous.any():
        return teacher.new_zeros(())
    similar = functional.normalize(teacher, dim=1) @ functional.normalize(student, dim=1).T / tau
    other_class = anomalous.unsqueeze(1) != anomalous.unsqueeze(0)
    compared = other_class | torch.eye(len(anomalous), dtype=torch.bool)
    everything = similar.masked_fill(~compared, float("-inf")).logsumexp(dim=1)
    each = everything - similar.diagonal()
    return each[anomalous].mean() + each[~anomalous].mean()
