"""Video networks of torchvision: what their classifier looks at, of clips of 16 pictures.

``s3d`` is DAKD's S3D. torchvision has no I3D; ``r3d_18``, ``mc3_18`` and ``r2plus1d_18`` are of its
class. All are published as trained on Kinetics-400.
"""

from __future__ import annotations

from typing import Any

import torchvision
from torch import nn

from edge.domain.segment import SCENE_SEGMENT_FRAMES
from edge.model.backbone import BackboneSpec
from export.backbones.original import Original, interpolation, resize, three, width_of
from export.backbones.settle import settle
from export.backbones.weights import (
    Checkpoint,
    Published,
    Random,
    Weights,
    downloading,
    fill,
    read_checkpoint,
    seeded,
    weights_licence,
)

CLASSIFIERS = {
    "s3d": "classifier",
    "r3d_18": "fc",
    "mc3_18": "fc",
    "r2plus1d_18": "fc",
    "mvit_v2_s": "head",
    "swin3d_t": "head",
}


def names() -> list[str]:
    """Those whose features before the classifier are known here."""
    return list(CLASSIFIERS)


def tags(name: str) -> list[str]:
    """Published weights of a network."""
    return [each.name for each in torchvision.models.get_model_weights(name)]


def load(name: str, weights: Weights) -> Original:
    """The network up to what its classifier looks at.

    Raises ModelError where the weights are not of this network.
    """
    module = _built(name, weights).eval()
    spec = _spec(name, module, weights)
    if isinstance(weights, Random):
        settle(module, spec)
    licences = ("torchvision: BSD-3-Clause", weights_licence(weights, "pytorch.org, Kinetics-400"))
    return Original(module, spec, licences, f"torchvision {name}, {weights}")


def _built(name: str, weights: Weights) -> nn.Module:
    with seeded(weights):
        module: nn.Module = torchvision.models.get_model(name, weights=None)
    setattr(module, CLASSIFIERS[name], nn.Identity())
    beside = (f"{CLASSIFIERS[name]}.",)
    if isinstance(weights, Published):
        with downloading(name, weights.tag):
            state = _entry(name, weights).get_state_dict(weights_only=True, check_hash=True)
        fill(module, state, beside=beside)
    if isinstance(weights, Checkpoint):
        fill(module, read_checkpoint(weights.path), beside=beside)
    return module


def _entry(name: str, weights: Weights) -> Any:
    """What torchvision knows of the weights; of others, what it knows of its default ones."""
    known = torchvision.models.get_model_weights(name)
    return known[weights.tag] if isinstance(weights, Published) else known.DEFAULT


def _spec(name: str, module: nn.Module, weights: Weights) -> BackboneSpec:
    config = _entry(name, weights).transforms()
    size_px = (int(config.crop_size[0]), int(config.crop_size[-1]))
    return BackboneSpec(
        name=name,
        width=width_of(module, SCENE_SEGMENT_FRAMES, size_px),
        size_px=size_px,
        mean=three(config.mean),
        std=three(config.std),
        frames=SCENE_SEGMENT_FRAMES,
        resize=resize(name, "center"),
        interpolation=interpolation(name, config.interpolation.value),
    )
