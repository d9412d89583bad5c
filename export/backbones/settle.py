"""Random networks that tell pictures apart, so that tests with them mean something."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from edge.model.backbone import BackboneSpec
from export.backbones.clips import street_clips
from export.backbones.original import feed

PICTURES = 24  # of streets; of clips, as many as have at least that many pictures


def settle(module: nn.Module, spec: BackboneSpec) -> None:
    """Give random weights the batch statistics of generated streets.

    Without them a deep network's activations die out, and all pictures embed alike. A network
    without batch normalisation stays as it is.
    """
    layers = [each for each in module.modules() if isinstance(each, _BatchNorm)]
    if not layers:
        return
    clips = street_clips(-(-PICTURES // spec.frames), spec.frames, seed=0)
    inputs = torch.from_numpy(np.stack([feed(spec, clip) for clip in clips]))
    for layer in layers:
        layer.momentum = 1.0  # nothing is left of the statistics that it was made with
        layer.train()
    with torch.no_grad():
        module(inputs)
    for layer in layers:
        layer.eval()
