import json
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ModelError
from edge.model.backbone import (
    INPUT,
    LEAST_COSINE,
    Backbone,
    BackboneSpec,
    Precision,
    load_backbone,
)
from export.cli import main
from tests.export.backbones.tiny import CLIP, add_tiny_clip, offline

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
families = pytest.importorskip("export.backbones.families")
graph_room = pytest.importorskip("export.backbones.graph")
make_room = pytest.importorskip("export.backbones.make")
original_room = pytest.importorskip("export.backbones.original")
recipe_room = pytest.importorskip("export.backbones.recipe")
clips_room = pytest.importorskip("export.backbones.clips")

__all__ = ["offline"]


@pytest.fixture(scope="module", autouse=True)
def _tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> None:
    add_tiny_clip(tmp_path_factory.mktemp("configs"))


def choose(frames: int, *, int8: bool = False) -> "clips_room.Chosen":
    return clips_room.choose(frames, golden=None, calibration=None, int8=int8)


class Video(torch.nn.Module):
    """Mean and change of each colour over a clip."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = torch.nn.Conv3d(3, 5, 3)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        return self.mix(clips).mean(dim=(3, 4)).flatten(1)


def video() -> "original_room.Original":
    spec = BackboneSpec("video", 10, (16, 16), (0, 0, 0), (1, 1, 1), frames=4)
    torch.manual_seed(0)
    return original_room.Original(Video().eval(), spec, (), "a test")


@pytest.fixture(scope="module")
def image() -> "original_room.Original":
    return families.load_original("timm/test_efficientnet", random_seed=0)


@pytest.fixture(scope="module")
def image_graph(image: "original_room.Original") -> bytes:
    return graph_room.to_onnx(image.module, image.spec)


def test_a_video_network_repeats_torch_for_any_number_of_clips(tmp_path: Path):
    original = video()
    made = make_room.make_backbone(original, tmp_path / "made", clips=choose(4), provenance={})
    assert made.agreement.max_abs_error < 1e-4
    assert_repeats(load_backbone(tmp_path / "made"), original)


def assert_repeats(backbone: Backbone, original: "original_room.Original") -> None:
    spec = original.spec
    shape = (3, spec.frames, *spec.size_px, 3)
    clips = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    wanted = original.embed(clips)
    for count in (1, 3):
        prepared = np.stack([[backbone.prepare(each) for each in clip] for clip in clips[:count]])
        np.testing.assert_allclose(backbone.embed(prepared), wanted[:count], atol=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "int8", "fp16"])
def test_an_image_network_repeats_torch_as_closely_as_its_precision_promises(
    precision: Precision,
    tmp_path: Path,
    image: "original_room.Original",
    image_graph: bytes,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(make_room, "to_onnx", lambda module, spec: image_graph)
    made = make_room.make_backbone(
        image,
        tmp_path / "made",
        clips=choose(1, int8=precision == "int8"),
        precision=precision,
        provenance={},
    )
    assert made.backbone.spec.precision == precision
    assert made.agreement.least_cosine >= LEAST_COSINE[precision]
    if precision == "fp32":
        assert_repeats(made.backbone, image)
        assert made.speed_up == 1
    else:
        assert made.graph_bytes < 0.8 * len(image_graph)
        assert made.speed_up > 0


def test_what_is_too_far_from_the_original_is_refused(
    tmp_path: Path,
    image: "original_room.Original",
    image_graph: bytes,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(make_room, "to_onnx", lambda module, spec: image_graph)
    other = families.load_original("timm/test_efficientnet", random_seed=1)
    with pytest.raises(ModelError, match="higher precision"):
        make_room.make_backbone(other, tmp_path / "made", clips=choose(1), provenance={})
    assert not list(tmp_path.iterdir())


def test_networks_that_give_no_vector_or_are_too_large_are_refused(
    monkeypatch: pytest.MonkeyPatch,
):
    with pytest.raises(ModelError, match="no vector"):
        original_room.width_of(torch.nn.Conv2d(3, 2, 1), 1, (8, 8))
    monkeypatch.setattr(graph_room, "LARGEST_BYTES", 100)
    with pytest.raises(ModelError, match="GB of weights"):
        graph_room.to_onnx(video().module, video().spec)


@pytest.mark.parametrize("word", ["longest", "border", ""])
def test_pictures_that_want_borders_are_refused(word: str):
    with pytest.raises(ModelError, match="net wants"):
        original_room.resize("net", word)
    with pytest.raises(ModelError, match="net wants"):
        original_room.interpolation("net", word)


def test_the_digest_tells_networks_apart():
    first, again, other = Video(), Video(), Video()
    again.load_state_dict(first.state_dict())
    digests = [original_room.digest(each) for each in (first, again, other)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(("kernel", "kept"), [(3, ["a", "e"]), (7, ["a", "b", "c", "e"])])
def test_8_bit_spares_the_pixels_and_depthwise_layers_with_large_kernels(
    kernel: int, kept: list[str]
):
    helper, numbers = onnx.helper, onnx.TensorProto.FLOAT
    shapes = {"a": (16, 3, 3, 3), "b": (16, 1, kernel, kernel), "c": (16, 1, 3, 3),
              "d": (8, 16, 1, 1)}  # fmt: skip
    nodes = [
        helper.make_node("Conv", [f"to {name}", f"of {name}"], [f"to {after}"], name=name)
        for name, after in zip("abcd", "bcde", strict=True)
    ]
    nodes.append(helper.make_node("Mul", ["to e", "to e"], ["out"], name="e"))
    weights = [
        onnx.numpy_helper.from_array(np.zeros(shape, np.float32), f"of {name}")
        for name, shape in shapes.items()
    ]
    ends = [helper.make_tensor_value_info(name, numbers, None) for name in ("to a", "out")]
    model = helper.make_model(helper.make_graph(nodes, "net", ends[:1], ends[1:], weights))
    assert sorted(recipe_room.better_in_floats(model.SerializeToString())) == kept


def test_the_command_writes_a_backbone_and_says_how_near_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], offline: list[object]
):
    out = tmp_path / "made"
    call = ["backbone", CLIP, "--random", "--out", str(out), "--format", "json"]
    assert main(call) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["version"] == load_backbone(out).version
    assert told["least_cosine"] > 0.9999
    assert (told["precision"], told["width"], told["opset"]) == ("fp32", 16, 18)
    graph = onnx.load(out / "backbone.onnx").graph
    assert graph.input[0].name == INPUT
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["provenance"]["golden"] == "synthetic street"
    assert "random" in manifest["provenance"]["source"]
    tower = families.load_original(CLIP, random_seed=0).module  # by which words know it, too
    assert manifest["provenance"]["weights_sha256"] == original_room.digest(tower)
    assert_repeats(load_backbone(out), families.load_original(CLIP, random_seed=0))
    assert main(call) == 2  # it is there
    assert "is there already" in capsys.readouterr().err
    assert not offline


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "--random is for tests alone"),
        (["--random", "--calibrate", "x"], "only int8 does"),
        (["--random", "--golden", "/no/where"], "/no/where"),
        (["--pretrained", "x.pt"], "no file of weights"),
    ],
)
def test_a_wrong_command_line_says_what_to_do(
    more: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["backbone", CLIP, "--out", str(tmp_path / "made"), *more]) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_folder_made_again_in_fewer_bits_is_the_same_network(
    precision: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    floats, smaller = tmp_path / "floats", tmp_path / "smaller"
    assert main(["backbone", CLIP, "--random", "--out", str(floats)]) == 0
    assert main(["backbone", str(floats), "--precision", precision, "--out", str(smaller)]) == 0
    before, after = load_backbone(floats), load_backbone(smaller)
    assert (after.spec.precision, after.network) == (precision, before.network)
    assert after.version != before.version
    for name in ("golden.safetensors", "manifest.json"):
        same = (floats / name).read_bytes() == (smaller / name).read_bytes()
        assert same == (name == "golden.safetensors")
    capsys.readouterr()
    for source, more, code, told in (
        (floats, [], 2, "folder with weights"),
        (floats, ["--precision", "fp16", "--random"], 2, "folder with weights"),
        (smaller, ["--precision", "fp16"], 2, f"in {precision} already"),
        (floats, ["--precision", "int8", "--view", "objects"], 2, "--calibrate"),
    ):
        assert main(["backbone", str(source), *more, "--out", str(tmp_path / "no")]) == code
        assert told in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"floats", "smaller"}
