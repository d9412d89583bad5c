import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.errors import ModelError, StorageError
from edge.model.backbone import (
    AT_ONCE,
    GOLDEN,
    GRAPH,
    INPUT,
    OUTPUT,
    BackboneSpec,
    GoldenClips,
    agreement,
    load_backbone,
    save_backbone,
)
from edge.model.folder import MANIFEST

onnx = pytest.importorskip("onnx")

HEIGHT, WIDTH = 6, 8
PICTURES = BackboneSpec("means", 3, (HEIGHT, WIDTH), (0, 0, 0), (1, 1, 1))
CLIPS = replace(PICTURES, name="differences", width=3 * 2, frames=2)


def means(spec: BackboneSpec, name: str = INPUT) -> bytes:
    """A graph that tells the mean of each colour, of each picture of a clip."""
    helper, numbers = onnx.helper, onnx.TensorProto.FLOAT
    clip = [spec.frames] if spec.frames > 1 else []
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", [name, "axes"], ["means"], keepdims=0),
            helper.make_node("Flatten", ["means"], [OUTPUT]),
        ],
        "means",
        [helper.make_tensor_value_info(name, numbers, ["N", 3, *clip, *spec.size_px])],
        [helper.make_tensor_value_info(OUTPUT, numbers, ["N", spec.width])],
        [helper.make_tensor("axes", onnx.TensorProto.INT64, [2], [-2, -1])],
    )
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()


def golden(spec: BackboneSpec, seed: int = 0) -> GoldenClips:
    rng = np.random.default_rng(seed)
    clips = rng.integers(0, 256, (3, spec.frames, *spec.size_px, 3), np.uint8)
    colours = clips[..., ::-1].mean(axis=(2, 3)) / 255  # (G, T, 3), red first
    return GoldenClips(clips, colours.transpose(0, 2, 1).reshape(3, -1).astype(np.float32))


def save(folder: Path, spec: BackboneSpec = PICTURES, graph: bytes | None = None) -> Path:
    save_backbone(
        folder,
        spec,
        means(spec) if graph is None else graph,
        golden(spec),
        licences=["test: none"],
        provenance={"source": "a test"},
    )
    return folder


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return save(tmp_path / "means")


@pytest.mark.parametrize("spec", [PICTURES, CLIPS])
def test_a_stored_backbone_embeds_any_number_of_clips(spec: BackboneSpec, tmp_path: Path):
    backbone = load_backbone(save(tmp_path / "made", spec))
    wanted = golden(spec, seed=1)
    prepared = np.stack([[spec.prepare(each) for each in clip] for clip in wanted.clips])
    many = np.tile(prepared, (AT_ONCE, 1, 1, 1, 1))
    found = backbone.embed(many)
    np.testing.assert_allclose(found, np.tile(wanted.embeddings, (AT_ONCE, 1)), atol=1e-6)
    assert backbone.embed(many[:0]).shape == (0, spec.width)
    np.testing.assert_array_equal(backbone.embed(many[5:6]), found[5:6])


def test_the_manifest_says_what_it_is_and_how_near_the_original(stored: Path):
    manifest = json.loads((stored / MANIFEST).read_bytes())
    assert manifest["backbone"] == PICTURES.as_json()
    assert manifest["input"]["shape"] == ["N", 3, HEIGHT, WIDTH]
    assert manifest["golden"]["clips"] == 3
    assert manifest["golden"]["max_abs_error"] < 1e-6
    assert manifest["provenance"] == {"source": "a test"}


def test_the_version_names_graph_and_preprocessing(stored: Path, tmp_path: Path):
    again = load_backbone(save(tmp_path / "again"))
    other = load_backbone(save(tmp_path / "other", replace(PICTURES, interpolation="bicubic")))
    assert again.version == load_backbone(stored).version != other.version


def test_what_misses_the_golden_embeddings_is_neither_saved_nor_loaded(
    stored: Path, tmp_path: Path
):
    wrong = golden(PICTURES)
    wrong.embeddings[1] = [1, -1, 0]
    with pytest.raises(ModelError, match=r"cosine of -?0\.\d+, fp32 promises 0\.9999"):
        save_backbone(
            tmp_path / "wrong", PICTURES, means(PICTURES), wrong, licences=[], provenance={}
        )
    assert [path.name for path in tmp_path.iterdir()] == ["means"]


def test_golden_clips_of_another_size_do_not_judge_it(stored: Path):
    with pytest.raises(ModelError, match="not of this backbone"):
        agreement(load_backbone(stored), golden(replace(PICTURES, size_px=(9, 9))))
    with pytest.raises(ModelError, match="golden embeddings"):
        agreement(
            load_backbone(stored), replace(golden(PICTURES), embeddings=np.ones((2, 3), np.float32))
        )


def test_a_folder_that_exists_stays_as_it_is(stored: Path):
    before = (stored / MANIFEST).read_bytes()
    with pytest.raises(StorageError, match="means"):
        save(stored, replace(PICTURES, name="another"))
    assert (stored / MANIFEST).read_bytes() == before
    assert len(list(stored.parent.iterdir())) == 1


def edit(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def replace_graph(folder: Path, graph: bytes) -> None:
    """As somebody would who can compute a sha256."""
    (folder / GRAPH).write_bytes(graph)
    digest = hashlib.sha256(graph).hexdigest()
    edit(folder, lambda manifest: manifest["files"].update({GRAPH: digest}))


@pytest.mark.parametrize("name", [MANIFEST, GRAPH, GOLDEN])
def test_a_missing_truncated_or_altered_file_is_refused(name: str, tmp_path: Path):
    content = (save(tmp_path / "made") / name).read_bytes()
    for bad in (None, content[: len(content) // 2], content[:-9] + bytes(9), b""):
        path = tmp_path / "made" / name
        path.unlink()
        if bad is not None:
            path.write_bytes(bad)
        with pytest.raises(ModelError, match="made"):
            load_backbone(tmp_path / "made")
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("graph", "why"),
    [
        (b"no graph", "not a complete ONNX network"),
        (means(PICTURES)[:-40], "not a complete ONNX network"),
        (means(PICTURES, "images"), "no such backbone"),
        (means(CLIPS), "no such backbone"),
        (means(replace(PICTURES, size_px=(5, 5))), "does not run"),
    ],
)
def test_another_graph_is_refused_even_if_the_manifest_vouches_for_it(
    graph: bytes, why: str, stored: Path
):
    replace_graph(stored, graph)
    with pytest.raises(ModelError, match=why):
        load_backbone(stored)


def test_embeddings_of_another_width_are_refused(stored: Path):
    edit(stored, lambda manifest: manifest["backbone"].update({"width": 4}))
    with pytest.raises(ModelError, match=r"\(3, 3\) for 3 clips"):
        load_backbone(stored)


def test_a_manifest_cannot_name_files_outside(stored: Path):
    edit(stored, lambda manifest: manifest["files"].update({"../../secret": "0" * 64}))
    with pytest.raises(ModelError, match="outside"):
        load_backbone(stored)


@pytest.mark.parametrize(
    "fields",
    [
        {"width": 0},
        {"frames": 1.5},
        {"size_px": [6]},
        {"mean": [0, 0]},
        {"std": [1, 1, 0]},
        {"mean": [0, 0, float("nan")]},
        {"colour": "grey"},
        {"resize": "pad"},
        {"interpolation": "lanczos"},
        {"precision": "int4"},
        {"size_px": None},
        {"speed": 3},
        {"mean": ["a", "b", "c"]},
        {"colour": []},
    ],
)
def test_an_unusable_specification_is_refused(fields: dict[str, object], stored: Path):
    edit(stored, lambda manifest: manifest["backbone"].update(fields))
    with pytest.raises(ModelError):
        load_backbone(stored)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=4), st.lists, max_leaves=4))
def test_json_that_is_no_specification_is_refused(value: object):
    pair = isinstance(value, list) and len(value) == 2
    assume(not (pair and all(type(side) is int and side > 0 for side in value)))
    with pytest.raises(ModelError):
        BackboneSpec.from_json(PICTURES.as_json() | {"size_px": value})


specs = st.builds(
    BackboneSpec,
    name=st.text(max_size=8),
    width=st.integers(1, 2048),
    size_px=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    mean=st.tuples(*[st.floats(0, 1)] * 3),
    std=st.tuples(*[st.floats(0.1, 2)] * 3),
    frames=st.integers(1, 16),
    colour=st.sampled_from(["rgb", "bgr"]),
    resize=st.sampled_from(["stretch", "crop"]),
    interpolation=st.sampled_from(["bilinear", "bicubic"]),
    precision=st.sampled_from(["fp32", "fp16", "int8"]),
)


@given(specs)
def test_a_specification_survives_json(spec: BackboneSpec):
    assert BackboneSpec.from_json(json.loads(json.dumps(spec.as_json()))) == spec


@settings(max_examples=60)
@given(specs, arrays(np.uint8, st.tuples(st.integers(1, 50), st.integers(1, 50), st.just(3))))
def test_a_picture_of_any_size_becomes_a_finite_input(spec: BackboneSpec, picture: np.ndarray):
    prepared = spec.prepare(picture)
    assert prepared.shape == (3, *spec.size_px)
    assert prepared.dtype == np.float32
    assert np.isfinite(prepared).all()
    fitted = spec.fit(picture)  # and what is fitted once stays so
    np.testing.assert_array_equal(spec.fit(fitted), fitted)


def test_colours_are_ordered_scaled_and_normalised():
    blue = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    blue[..., 0] = 255
    spec = replace(PICTURES, mean=(0.5, 0.25, 0.5), std=(0.5, 0.25, 0.25))
    np.testing.assert_allclose(spec.prepare(blue)[:, 0, 0], [-1, -1, 2])
    np.testing.assert_allclose(replace(spec, colour="bgr").prepare(blue)[:, 0, 0], [1, -1, -2])


@given(specs, st.integers(0, 2**32 - 1))
def test_an_input_is_the_scaled_and_normalised_picture(spec: BackboneSpec, seed: int):
    picture = np.random.default_rng(seed).integers(0, 256, (*spec.size_px, 3), np.uint8)
    ordered = picture[..., ::-1] if spec.colour == "rgb" else picture
    prepared = spec.prepare(picture).transpose(1, 2, 0)
    np.testing.assert_allclose(prepared * spec.std + spec.mean, ordered / 255, atol=1e-6)


@pytest.mark.parametrize(("high", "wide"), [(60, 240), (240, 60), (6, 8), (3, 30)])
def test_cropping_shows_the_middle_and_stretching_everything(high: int, wide: int):
    picture = np.zeros((high, wide, 3), np.uint8)
    picture[: max(1, high // 12)] = picture[:, : max(1, wide // 12)] = 255  # two edges
    edges = [
        replace(PICTURES, resize=how).fit(picture)[[0, -1, HEIGHT // 2], [WIDTH // 2, -1, 0]]
        for how in ("stretch", "crop")
    ]
    assert edges[0].max() > 100  # seen
    if high == wide * HEIGHT // WIDTH:  # nothing to cut
        np.testing.assert_array_equal(*edges)
    elif min(high, wide) > 50:
        cut = replace(PICTURES, resize="crop").fit(picture)
        ends = cut[HEIGHT // 2, 0] if wide > high else cut[0, WIDTH // 2]
        assert ends.max() == 0


def test_what_is_shrunk_is_smoothed():
    stripes = np.zeros((10 * HEIGHT, 10 * WIDTH, 3), np.uint8)
    stripes[:, ::2] = 255
    for interpolation in ("bilinear", "bicubic"):
        fitted = replace(PICTURES, interpolation=interpolation).fit(stripes)
        assert np.abs(fitted.astype(int) - 128).max() <= 1
