"""The two stages: a teacher learns from video labels, a student from the teacher."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.errors import DatasetError
from edge.model.dakd import DakdNetwork
from edge.training.checkpoint import task_of
from export.dakd.bags import Bags, make_bags
from export.dakd.course import Told, train
from export.dakd.features import FeatureSet
from export.dakd.losses import contrast, mil_ranking, soft_labels
from export.dakd.network import NetworkSpec, make_network, standardise
from export.dakd.options import DistilOptions, TeacherOptions

AT_ONCE = 60  # videos that a teacher looks at


@dataclass(frozen=True, slots=True, eq=False)
class Teaching:
    """What a teacher says of all training videos, in the order of their names."""

    scores: Tensor  # (N, L)
    aggregated: Tensor  # (N, L, H's width)


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """A network after its last epoch."""

    network: DakdNetwork
    loss: float  # mean of that epoch


def train_teacher(
    spec: NetworkSpec,
    features: FeatureSet,
    options: TeacherOptions,
    *,
    seed: int,
    checkpoint: Path | None = None,
    told: Told = lambda _epoch, _loss: None,
) -> Taught:
    """Stage one: all backbones, MIL ranking. Raises as ``export.dakd.course.train`` does."""
    network = _new_network(spec, features, seed)
    bags = make_bags(features, segments=options.segments)

    def loss_of(rows: Tensor) -> Tensor:
        part = bags.part(rows)
        logits, _ = network(part.views, part.counted)
        return _mil(logits, part, options)

    loss = train(
        network,
        loss_of,
        bags.abnormal,
        options,
        seed=seed,
        task=f"{spec}{features.digest()}",
        checkpoint=checkpoint,
        told=told,
    )
    return Taught(network, loss)


def teaching_of(teacher: DakdNetwork, features: FeatureSet, *, segments: int) -> Teaching:
    """What a teacher says of the training videos, cut as its student will see them."""
    bags = make_bags(features, segments=segments)
    scores, aggregated = [], []
    with torch.inference_mode():
        for rows in torch.split(torch.arange(len(bags.abnormal)), AT_ONCE):
            views = [view[rows] for view in bags.views]
            aggregated.append(teacher.aggregate(views, bags.counted[rows]))
            scores.append(torch.sigmoid(teacher.score(aggregated[-1])[0]))
    # copied out of inference mode: they take part in a loss
    return Teaching(torch.cat(scores).clone(), torch.cat(aggregated).clone())


def train_student(
    spec: NetworkSpec,
    features: FeatureSet,
    options: DistilOptions,
    teaching: Teaching | None,
    *,
    seed: int,
    checkpoint: Path | None = None,
    told: Told = lambda _epoch, _loss: None,
) -> Taught:
    """Stage two: one backbone, Eq. 8; ``teaching`` may be None where nothing asks a teacher.

    Raises DatasetError where the teaching is of other videos, and as
    ``export.dakd.course.train`` does.
    """
    bags = make_bags(features, segments=options.segments)
    if options.needs_teacher and (teaching is None or teaching.scores.shape != bags.counted.shape):
        raise DatasetError("distil: the teacher has not seen the videos that the student sees")
    learner = Learner(_new_network(spec, features, seed), options, teaching, bags, seed=seed)
    heard = "" if teaching is None else _fingerprint(teaching)
    loss = train(
        learner,
        learner.loss,
        bags.abnormal,
        options,
        seed=seed,
        task=f"{spec}{features.digest()}{heard}",
        checkpoint=checkpoint,
        told=told,
    )
    return Taught(learner.network, loss)


class Learner(nn.Module):
    """A student in training, with what maps both networks' features to where they are compared.

    Both maps learn. Compared is H, what comes out of the temporal part: the paper's "aggregated
    representations". Were it the last hidden layer, the published weight of the term, 750, would
    leave the scores only that layer's 32 weights to learn with: after 100 epochs on a few dozen
    training videos they fit the soft labels no better than chance does.

    The classes are those of the scaled soft labels: the raw scores of a teacher of few videos may
    all lie below ``delta``, and in a normal video every segment is known to be normal.
    """

    def __init__(
        self,
        network: DakdNetwork,
        options: DistilOptions,
        teaching: Teaching | None,
        bags: Bags,
        *,
        seed: int,
    ) -> None:
        super().__init__()
        self.network, self.options, self.bags, self.teaching = network, options, bags, teaching
        if teaching is None:
            return
        said = (teaching.scores, bags.counted, bags.abnormal)
        self.labels = soft_labels(*said, epsilon=options.epsilon, min_max=options.min_max)
        scaled = soft_labels(*said, epsilon=options.epsilon, min_max=True)
        self.anomalous = scaled > options.delta
        widths = (teaching.aggregated.shape[2], network.fc1.in_features)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.of_teacher, self.of_student = (
                _contrasting(width, options.contrast_width) for width in widths
            )

    def loss(self, rows: Tensor) -> Tensor:
        """Eq. 8 for some of the videos."""
        part = self.bags.part(rows)
        aggregated = self.network.aggregate(part.views, part.counted)
        logits, _ = self.network.score(aggregated)
        real = part.counted == 1
        if self.options.predictions == "video-labels":
            loss = _mil(logits, part, self.options)
        else:
            labels = self.labels[rows, : logits.shape[1]]
            loss = functional.binary_cross_entropy_with_logits(logits[real], labels[real])
        if not self.options.alpha:
            return loss
        return loss + self.options.alpha * self.options.tau**2 * self._apart(rows, aggregated, real)

    def _apart(self, rows: Tensor, aggregated: Tensor, real: Tensor) -> Tensor:
        """How far teacher and student are from agreeing on each class (Eq. 7)."""
        assert self.teaching is not None
        length = aggregated.shape[1]
        return contrast(
            self.of_teacher(self.teaching.aggregated[rows, :length][real]),
            self.of_student(aggregated[real]),
            self.anomalous[rows, :length][real],
            tau=self.options.tau,
        )


def _contrasting(inputs: int, width: int) -> nn.Sequential:
    """Eq. 7's g: one hidden layer, no biases."""
    return nn.Sequential(
        nn.Linear(inputs, width, bias=False), nn.ReLU(), nn.Linear(width, width, bias=False)
    )


def _new_network(spec: NetworkSpec, features: FeatureSet, seed: int) -> DakdNetwork:
    network = make_network(spec, seed=seed)
    standardise(network, features)
    return network


def _mil(logits: Tensor, part: Bags, options: TeacherOptions) -> Tensor:
    return mil_ranking(
        torch.sigmoid(logits),
        part.counted,
        part.abnormal,
        sparsity=options.sparsity,
        smoothness=options.smoothness,
    )


def _fingerprint(teaching: Teaching) -> str:
    """Changes with anything that the student hears."""
    return task_of("", [teaching.scores.numpy(), teaching.aggregated.numpy()])
