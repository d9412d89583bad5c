"""The small network: a backbone of timm and a linear map into the teacher's space."""

from __future__ import annotations

import copy
import pickle
import tempfile
import warnings
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from edge.domain.boxes import Floats
from edge.errors import ModelError
from edge.model.backbone import INPUT, OUTPUT

OPSET = 17
BATCH = {0: "N"}
UNFIT = (  # what reading a file of weights raises where it is none, or one of another network
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    SafetensorError,
    ValueError,
    pickle.UnpicklingError,
)


class Imitator(nn.Module):
    """Pictures (N, 3, S, S) → embeddings (N, d), offset + spread * (projection of features)."""

    def __init__(self, backbone: nn.Module, *, size_px: int, mean: Floats, spread: Floats) -> None:
        """``mean`` and ``spread`` (d,) of the teacher's embeddings: where it begins."""
        super().__init__()
        self.backbone = backbone
        self.projection = nn.Linear(_features(backbone, size_px), len(mean), bias=False)
        self.offset = nn.Parameter(torch.from_numpy(mean.copy()))
        self.register_buffer("spread", torch.from_numpy(spread.copy()))

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        projected: Tensor = self.projection(self.backbone(pictures))
        return self.offset + self.get_buffer("spread") * projected


def make_imitator(
    name: str, *, pretrained: str | None, size_px: int, mean: Floats, spread: Floats, seed: int
) -> Imitator:
    """A network by timm's name; equal arguments give equal weights.

    ``pretrained``: a file of weights, or a tag of timm, which downloads; None: random weights.
    Raises ModelError where there is no such network or its weights cannot be had.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = _backbone(name, pretrained)
        return Imitator(backbone, size_px=size_px, mean=mean, spread=spread)


def described(imitator: Imitator) -> dict[str, Any]:
    """What timm says of the network: ``mean`` and ``std`` of its colours, ``license``."""
    return dict(imitator.backbone.pretrained_cfg)  # type: ignore[arg-type]  # a dict, set by timm


def to_graph(imitator: Imitator, size_px: int) -> bytes:
    """The network in ONNX, as it is when it does not learn: any number of pictures."""
    exported = copy.deepcopy(imitator).eval()
    with torch.no_grad():  # one product less, and none that 8-bit numbers would have to span
        exported.projection.weight.mul_(exported.get_buffer("spread")[:, None])
        exported.get_buffer("spread").fill_(1.0)
    plain = nn.Sequential(exported.backbone, exported.projection, _Add(exported.offset))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder, "imitator.onnx")
        warnings.simplefilter("ignore", DeprecationWarning)  # the exporter that needs onnx alone
        torch.onnx.export(
            plain.eval(),
            (torch.zeros(2, 3, size_px, size_px),),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes=dict.fromkeys((INPUT, OUTPUT), BATCH),
        )
        return path.read_bytes()


class _Add(nn.Module):
    def __init__(self, offset: Tensor) -> None:
        super().__init__()
        self.offset = nn.Parameter(offset.detach().clone())

    def forward(self, embeddings: Tensor) -> Tensor:
        return embeddings + self.offset


def _features(backbone: nn.Module, size_px: int) -> int:
    """How many features the network gives; refuses inputs that it cannot take."""
    backbone.eval()
    try:
        with torch.inference_mode():
            found = backbone(torch.zeros(1, 3, size_px, size_px))
    except (AssertionError, RuntimeError) as error:
        raise ModelError(f"--student: takes no pictures of {size_px} px ({error})") from error
    if found.ndim != 2:
        raise ModelError(f"--student: gives features of shape {tuple(found.shape)}, not a vector")
    return int(found.shape[1])


def _backbone(name: str, pretrained: str | None) -> nn.Module:
    file = Path(pretrained) if pretrained and Path(pretrained).is_file() else None
    downloads = pretrained is not None and file is None
    try:
        backbone: nn.Module = timm.create_model(
            f"{name}.{pretrained}" if downloads else name, pretrained=downloads, num_classes=0
        )
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"--student {name}: {error}: see timm.list_models(), timm.list_pretrained(), or name "
            "a file of weights"
        ) from error
    if file is not None:
        _fill(backbone, file)
    return backbone


def _fill(backbone: nn.Module, file: Path) -> None:
    """Take the weights of a file; those of a classifier, which the network lacks, are let go."""
    try:
        if file.suffix == ".safetensors":
            weights = load_file(file)
        else:
            weights = torch.load(file, map_location="cpu", weights_only=True)
            weights = weights.get("state_dict", weights)
        known = backbone.state_dict()
        backbone.load_state_dict({key: weights[key] for key in known})
    except UNFIT as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{file}: no weights of this network ({reason})") from error
