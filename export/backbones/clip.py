"""Image towers of open_clip, and the text towers that belong to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import open_clip
import torch
from open_clip.convert import convert_state_dict

from edge.errors import ModelError
from edge.model.backbone import BackboneSpec
from export.backbones.original import Original, digest, interpolation, resize, three, width_of
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
    """All that open_clip builds."""
    return list(open_clip.list_models())


def tags(name: str) -> list[str]:
    """Published weights of a network."""
    return list(open_clip.list_pretrained_tags_by_model(name))


def load(name: str, weights: Weights) -> Original:
    """The image tower, up to the embedding that texts are compared with.

    Raises ModelError where the weights are not of this network.
    """
    return load_both(name, weights).image


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Both towers of a network, in evaluation mode."""

    model: Any  # open_clip's
    image: Original

    @property
    def tower(self) -> str:
        """The digest of the image tower's weights."""
        return digest(self.image.module)


def load_both(name: str, weights: Weights) -> Clip:
    """Image and text tower; raises ModelError where the weights are not of this network."""
    model = _built(name, weights).eval()
    tower = _ImageTower(model.visual).eval()
    spec = _spec(name, tower)
    if isinstance(weights, Random):
        settle(tower, spec)
    of_weights = weights_licence(weights, _published(name, weights).get("hf_hub", ""))
    source = f"open_clip {name}, {weights}"
    return Clip(model, Original(tower, spec, ("open_clip: MIT", of_weights), source))


class _ImageTower(torch.nn.Module):
    """``encode_image`` of all of open_clip's networks, before it normalises."""

    def __init__(self, visual: Any) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        found = self.visual(pictures)
        vector: torch.Tensor = found[0] if isinstance(found, tuple) else found  # CoCa's has tokens
        return vector


def _published(name: str, weights: Weights) -> dict[str, Any]:
    """What open_clip knows of the weights; of others, what it knows of its first ones.

    Other weights of a network are taken to want the pictures that published ones want.
    """
    tag = weights.tag if isinstance(weights, Published) else next(iter(tags(name)), None)
    return dict(open_clip.get_pretrained_cfg(name, tag)) if tag else {}


def _built(name: str, weights: Weights) -> Any:
    published = _published(name, weights)
    if isinstance(weights, Published):
        gelu = bool(published.get("quick_gelu"))  # as they were trained
        with downloading(name, weights.tag):
            return open_clip.create_model(name, pretrained=weights.tag, force_quick_gelu=gelu)
    try:
        with seeded(weights):
            model = open_clip.create_model(
                name, force_preprocess_cfg=published, pretrained_text=False
            )
    except (ImportError, OSError, RuntimeError) as error:  # a tower of a library that is not here
        raise ModelError(f"{name}: cannot be built here ({error}); choose another") from error
    if isinstance(weights, Checkpoint):
        state = convert_state_dict(model, read_checkpoint(weights.path))
        fill(model, state, beside=())
    return model


def _spec(name: str, tower: _ImageTower) -> BackboneSpec:
    config = tower.visual.preprocess_cfg
    size = config["size"]
    size_px = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    return BackboneSpec(
        name=name,
        width=width_of(tower, 1, size_px),
        size_px=size_px,
        mean=three(config["mean"]),
        std=three(config["std"]),
        resize=resize(name, config["resize_mode"]),
        interpolation=interpolation(name, config["interpolation"]),
    )
