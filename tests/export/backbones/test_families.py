from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ConfigError, ModelError
from tests.export.backbones.tiny import CLIP, add_tiny_clip, offline

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")
families = pytest.importorskip("export.backbones.families")
clip_room = pytest.importorskip("export.backbones.clip")
original_room = pytest.importorskip("export.backbones.original")
settle_room = pytest.importorskip("export.backbones.settle")

__all__ = ["offline"]
VIT = "timm/test_vit"


@pytest.fixture(scope="module", autouse=True)
def _tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> None:
    add_tiny_clip(tmp_path_factory.mktemp("configs"))


@pytest.mark.parametrize(
    ("name", "library", "own"),
    [
        ("ViT-B-32", "open_clip", "ViT-B-32"),
        ("open_clip/RN50", "open_clip", "RN50"),
        ("mobilenetv4_conv_small", "timm", "mobilenetv4_conv_small"),
        ("timm/convnext_base", "timm", "convnext_base"),
        ("convnext_base", "open_clip", "convnext_base"),
        ("s3d", "torchvision", "s3d"),
    ],
)
def test_a_name_belongs_to_one_library(name: str, library: str, own: str):
    family, found = families.find(name)
    assert (family.library, found) == (library, own)


@pytest.mark.parametrize("name", ["ViT-B-33", "timm/s3d", "i3d", "", "../x", "timm/"])
def test_unknown_names_are_told(name: str):
    with pytest.raises(ConfigError, match="no network"):
        families.find(name)
    if name == "ViT-B-33":
        with pytest.raises(ConfigError, match=r"did you mean.*ViT-B-32"):
            families.find(name)


@pytest.mark.parametrize(
    ("name", "tag"),
    [("ViT-B-32", "laion2b_s34b_b79k"), ("mobilenetv3_small_100", "lamb_in1k"),
     ("s3d", "KINETICS400_V1")],
)  # fmt: skip
def test_without_weights_it_says_which_there_are(name: str, tag: str):
    for pretrained in (None, "no_such_tag"):
        with pytest.raises(ConfigError, match=tag):
            families.load_original(name, pretrained=pretrained)
    with pytest.raises(ConfigError, match="no file of weights"):
        families.load_original(name, pretrained="folder/none.safetensors")


@pytest.mark.parametrize("name", [CLIP, VIT])
def test_random_weights_follow_from_the_seed(name: str, offline: list[object]):
    digests = [
        original_room.digest(families.load_original(name, random_seed=seed).module)
        for seed in (3, 3, 4)
    ]
    assert digests[0] == digests[1] != digests[2]
    assert not offline  # nobody was asked


def test_the_image_tower_gives_what_open_clip_calls_its_image_features():
    both = clip_room.load_both(CLIP, families.Random(1))
    spec = both.image.spec
    assert (spec.size_px, spec.width, spec.resize, spec.interpolation) == (
        (32, 32), 16, "crop", "bicubic",
    )  # fmt: skip
    pictures = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        wanted = both.model.encode_image(pictures, normalize=False)
        torch.testing.assert_close(both.image.module(pictures), wanted)


def with_head(name: str, path: Path) -> Callable[[], None]:
    """A checkpoint of the whole network, classifier and all."""
    if name == CLIP:
        state = clip_room.load_both(name, families.Random(9)).model.state_dict()
    else:
        import timm

        torch.manual_seed(9)
        state = timm.create_model(name.removeprefix("timm/"), num_classes=5).state_dict()
    safetensors.save_file({key: value.contiguous() for key, value in state.items()}, path)


@pytest.mark.parametrize("name", [CLIP, VIT])
def test_weights_of_a_file_are_those_of_the_network(
    name: str, tmp_path: Path, offline: list[object]
):
    path = tmp_path / "mine.safetensors"
    with_head(name, path)
    loaded = families.load_original(name, pretrained=str(path))
    assert "mine.safetensors" in loaded.source
    assert str(tmp_path) not in loaded.source + "".join(loaded.licences)
    held = safetensors.load_file(path)
    own = {key.removeprefix("visual."): value for key, value in held.items()}
    for key, value in loaded.module.state_dict().items():
        torch.testing.assert_close(value, own[key.removeprefix("visual.")])
    with pytest.raises(ModelError, match="not of this network"):
        families.load_original("timm/test_efficientnet", pretrained=str(path))
    assert not offline


def test_a_tag_that_cannot_be_fetched_is_told(
    offline: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # nothing is there already
    with pytest.raises(ModelError, match=r"mc3_18.*could not be fetched.*name the file"):
        families.load_original("mc3_18", pretrained="KINETICS400_V1")


def test_random_networks_tell_pictures_apart():
    import timm

    raw = timm.create_model("test_efficientnet", num_classes=0).eval()
    settled = families.load_original("timm/test_efficientnet", random_seed=0)
    clips = [street[0] for street in settle_room.street_clips(3, 1, seed=4)]
    inputs = torch.from_numpy(np.stack([settled.spec.prepare(picture) for picture in clips]))
    with torch.inference_mode():
        before, after = raw(inputs), settled.module(inputs)
    assert after.std(dim=0).mean() > 10 * before.std(dim=0).mean()
    assert not settled.module.training
    assert not any(layer.training for layer in settled.module.modules())
