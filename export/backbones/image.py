"""Image networks of timm: pooled features, without the classifier.

Of a picture timm looks at the middle 88 % or so (``crop_pct``), of which a camera's operator would
lose what happens at the edges: here the whole shorter side is fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
from timm.data.config import resolve_data_config
from timm.models import get_arch_pretrained_cfgs

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


def names() -> list[str]:
    """All that timm builds."""
    return list(timm.list_models())


def tags(name: str) -> list[str]:
    """Published weights of a network, its default first."""
    configs = get_arch_pretrained_cfgs(name)
    return [full.partition(".")[2] for full, config in configs.items() if config.has_weights]


def load(name: str, weights: Weights) -> Original:
    """The network up to what its classifier looks at.

    Raises ModelError where the weights are not of this network.
    """
    module = _built(name, weights)
    config: Mapping[str, Any] = module.pretrained_cfg
    spec = _spec(name, module)
    if isinstance(weights, Random):
        settle(module, spec)
    published = config.get("license") or config.get("hf_hub_id") or ""
    licences = ("timm: Apache-2.0", weights_licence(weights, published))
    return Original(module, spec, licences, f"timm {name}, {weights}")


def _built(name: str, weights: Weights) -> Any:  # a module, and timm's attributes of it
    if isinstance(weights, Published):
        with downloading(name, weights.tag):
            return timm.create_model(f"{name}.{weights.tag}", pretrained=True, num_classes=0).eval()
    with seeded(weights):
        module: Any = timm.create_model(name, num_classes=0)
    if isinstance(weights, Checkpoint):
        heads = module.pretrained_cfg.get("classifier") or ()
        heads = (heads,) if isinstance(heads, str) else tuple(heads)
        fill(module, read_checkpoint(weights.path), beside=tuple(f"{head}." for head in heads))
    return module.eval()


def _spec(name: str, module: Any) -> BackboneSpec:
    config: Mapping[str, Any] = resolve_data_config({}, model=module)  # type: ignore[no-untyped-call] # timm's
    size_px = (int(config["input_size"][1]), int(config["input_size"][2]))
    return BackboneSpec(
        name=name,
        width=width_of(module, 1, size_px),
        size_px=size_px,
        mean=three(config["mean"]),
        std=three(config["std"]),
        resize=resize(name, config["crop_mode"]),
        interpolation=interpolation(name, config["interpolation"]),
    )
