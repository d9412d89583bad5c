"""A cluster's averaged model learns what its teacher has found out (FedVAD, Eq. 5).

The loss is the student's own on the public videos, alpha times L_distill = mean ‖A S(V) - Z‖² on
the penultimate features, and for students that score with an energy a margin for what is abnormal.

* A is affine and learns along, as the regressor of a hint (FitNets, Romero et al., ICLR 2015). It
  begins with the least squares of the student as it came, and is forgotten. The two spaces have
  nothing in common but their width: without it Z would be forced on whatever the last layer
  reads, and all that the participants have learnt would be lost in the first steps.
* A segment's label is 0 in a normal video, and the teacher's probability in an abnormal one.
* The margin is outlier exposure (Hendrycks et al., ICLR 2019, section 4.4): the energy of an
  abnormal segment is to be higher than that of a normal one by a nat for every feature.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from aggregator.distillation.options import Ased
from aggregator.distillation.teaching import Knowledge
from aggregator.public.videos import PublicVideo
from edge.domain.boxes import Floats
from edge.domain.weights import Weights
from edge.errors import TrainingError
from edge.model.base import Student
from edge.model.spec import PENULTIMATE, StudentSpec
from edge.model.student import load_weights, make_student, weights_of

ALIGNED_ON = 4096  # sequences at most, drawn: there are 33 unknowns for each feature
RIDGE = 1e-3  # of the first alignment: students have dead units


@dataclass(frozen=True, slots=True, eq=False)
class Lecture:
    """Selected videos cut into B sequences of L segments, padded at their end."""

    x: Tensor  # (B, L, d)
    z: Tensor  # (B, L, 32)
    target: Tensor  # (B, L) 0 normal … 1 abnormal
    told: Tensor  # (B, L) 1 where the target says something, 0 where nobody knows
    present: Tensor  # (B, L) 1, and 0 where it is padding

    def part(self, rows: Tensor) -> Lecture:
        """Some of the sequences."""
        return Lecture(
            self.x[rows], self.z[rows], self.target[rows], self.told[rows], self.present[rows]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Distilled:
    """A cluster's model after its lecture."""

    weights: Weights
    distance: float  # L_distill per feature of Z, over the second half of the steps
    loss: float  # the student's own, likewise


def lecture(
    spec: StudentSpec, videos: Sequence[PublicVideo], knowledge: Knowledge, sequence: int
) -> Lecture:
    """What a student hears; one that looks at one segment gets them one by one."""
    length = sequence if spec.window > 1 or spec.looks_ahead else 1
    parts: list[tuple[Floats, ...]] = []
    for index, video in enumerate(videos):
        ones = np.ones(len(video.values), np.float32)
        scores = knowledge.abnormal[index] if knowledge.abnormal else None
        target, told = _targets(video, scores)
        parts.append((video.values, knowledge.z[index], target, told * ones, ones))
    columns = zip(*parts, strict=True)
    return Lecture(*(torch.from_numpy(_cut(column, length)) for column in columns))


def distil(
    spec: StudentSpec, start: Weights, heard: Lecture, options: Ased, *, seed: int
) -> Distilled:
    """Teach ``start``; deterministic for a seed.

    Raises ModelError where the weights are not of ``spec``, TrainingError where the videos are of
    another width or the loss leaves the finite numbers.
    """
    if heard.x.shape[2] != spec.inputs:
        raise TrainingError(
            f"the student takes {spec.inputs} features, public videos have {heard.x.shape[2]}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        student = make_student(spec, seed=0)
        load_weights(student, start)
        some = torch.randperm(len(heard.x))[:ALIGNED_ON]
        align = aligned(student, heard.part(some))
        lessons = _Lessons(student, align, heard, spec, options)
        told = [lessons.step(rows) for rows in _batches(heard, options)]
    own, distance = np.mean(told[len(told) // 2 :], axis=0)
    return Distilled(weights_of(student), float(distance), float(own))


def aligned(student: Student, heard: Lecture) -> nn.Linear:
    """The affine map from the student's penultimate features to Z by least squares."""
    student.eval()
    present = heard.present > 0
    with torch.inference_mode():
        penultimate = student(heard.x)[1][present]
    z = heard.z[present]
    rows = torch.cat([penultimate, torch.ones(len(z), 1)], dim=1).double()  # (n, 33)
    square = rows.T @ rows
    ridge = RIDGE * square.diagonal().mean() * torch.eye(len(square))
    solved = torch.linalg.solve(square + ridge, rows.T @ z.double()).float()
    align = nn.Linear(PENULTIMATE, PENULTIMATE)
    with torch.no_grad():
        align.weight.copy_(solved[:-1].T)
        align.bias.copy_(solved[-1])
    return align


def outlier_margin(energy: Tensor, abnormal: Tensor, normal: Tensor, margin: float) -> Tensor:
    """Mean over all pairs of max(0, margin + E_normal - E_abnormal), weighted by (n,) each."""
    pairs = normal.unsqueeze(1) * abnormal
    short = torch.relu(margin + energy.unsqueeze(1) - energy)
    return (pairs * short).sum() / pairs.sum().clamp(min=1)


class _Lessons:
    """Student, alignment and optimiser at work; draws from torch's global generator."""

    def __init__(
        self,
        student: Student,
        align: nn.Linear,
        heard: Lecture,
        spec: StudentSpec,
        options: Ased,
    ) -> None:
        self._student, self._align, self._heard = student, align, heard
        self._spec, self._options = spec, options
        learning = [*student.parameters(), *align.parameters()]
        self._optimiser = torch.optim.Adam(learning, lr=options.learning_rate)

    def step(self, rows: Tensor) -> tuple[float, float]:
        """One batch; the student's own loss, and its distance to Z."""
        batch = self._heard.part(rows)
        self._student.eval()  # features are compared as they are used: without dropout
        scores, penultimate = self._student(batch.x)
        away = (self._align(penultimate) - batch.z).square().mean(dim=-1)
        distance = (away * batch.present).sum() / batch.present.sum()
        own = self._own(batch, scores)
        loss = own + self._options.alpha * distance
        if not math.isfinite(float(loss.detach())):
            raise TrainingError("distillation diverged: lower its learning_rate")
        self._optimiser.zero_grad()
        torch.autograd.backward(loss)
        self._optimiser.step()
        return float(own.detach()), float(distance.detach())

    def _own(self, batch: Lecture, scores: Tensor) -> Tensor:
        """The student's own loss on segments of which something is known; 0 without any."""
        if not batch.told.any():
            return torch.zeros(())
        self._student.train()
        own = self._student.loss(batch.x, batch.target, batch.told)
        if not self._spec.is_energy:
            return own
        abnormal = batch.told * batch.target * (batch.target >= self._options.sure)
        normal = batch.told * (1 - batch.target)
        margin = float(self._spec.inputs)  # a nat for every feature
        short = outlier_margin(scores.flatten(), abnormal.flatten(), normal.flatten(), margin)
        return own + self._options.outliers * short


def _batches(heard: Lecture, options: Ased) -> Iterator[Tensor]:
    """As many batches as options say; all sequences once before any comes again."""
    size = max(1, options.batch_rows // heard.x.shape[1])
    left = options.steps
    while left:
        for rows in torch.split(torch.randperm(len(heard.x)), size)[:left]:
            yield rows
            left -= 1


def _targets(video: PublicVideo, scores: Floats | None) -> tuple[Floats, Floats]:
    """A video's targets (m,), and whether they say anything, (1,)."""
    calm = np.zeros(len(video.values), np.float32)
    if video.abnormal is False:
        return calm, np.ones(1, np.float32)
    if scores is None:
        return calm, np.zeros(1, np.float32)
    return scores, np.ones(1, np.float32)


def _cut(rows: Sequence[Floats], length: int) -> Floats:
    """Videos (m_i, ...) → (B, L, ...), zeros after the end of each."""
    pieces = []
    for each in rows:
        count = -(-len(each) // length)
        padded = np.zeros((count * length, *each.shape[1:]), np.float32)
        padded[: len(each)] = each
        pieces.append(padded.reshape(count, length, *each.shape[1:]))
    return np.concatenate(pieces)
