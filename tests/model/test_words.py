import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ModelError
from edge.model import tokens
from edge.model.folder import MANIFEST, sha256
from edge.model.text import TextEmbeddings
from edge.model.words import (
    GOLDEN,
    PROMPTS,
    TFC,
    GoldenWords,
    WordSpec,
    load_words,
    normalised,
)
from tests.fakes import word_models
from tests.fakes.backbones import tiny_backbone
from tests.fakes.word_models import tiny_words


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_words(tmp_path_factory.mktemp("words") / "model")


def tubes(model, count, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, model.frames, model.width)).astype(np.float32)


def rewrite(folder, change):
    """Change the manifest's facts."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def replace_file(folder, name, content):
    """Another file, for which the manifest vouches."""
    (folder / name).write_bytes(content)
    rewrite(folder, lambda manifest: manifest["files"].update({name: sha256(content)}))


@given(count=st.integers(0, 4), scale=st.floats(0.1, 10), seed=st.integers(0, 99))
def test_action_features_have_length_one_and_do_not_depend_on_the_embeddings_length(
    model, count, scale, seed
):
    crops = tubes(model, count, seed)
    found = model.act(crops)
    assert found.shape == (count, model.width)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(model.act(crops * np.float32(scale)), found, atol=1e-5)
    wanted = word_models.features(model.spec, normalised(crops))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_without_a_temporal_part_the_mean_stands_in_its_place(tmp_path):
    model = tiny_words(tmp_path / "model", tfc=False)
    crops = tubes(model, 3)
    wanted = word_models.features(model.spec, normalised(crops), tfc=False)
    np.testing.assert_allclose(model.act(crops), wanted, atol=1e-6)


def test_crops_go_through_the_backbone(model):
    picture = np.full((20, 30, 3), (10, 100, 200), np.uint8)
    prepared = model.prepare(picture)[None, None]
    np.testing.assert_array_equal(model.embed(prepared), model.backbone.embed(prepared))
    assert model.embed(prepared).shape == (1, model.width)


def test_a_text_is_read_as_the_prompts_were(model):
    found = model.read(model.prompts.prompts)
    np.testing.assert_allclose(found, model.prompts.embeddings, atol=1e-6)
    assert model.reads


@given(st.lists(st.text(st.characters(exclude_categories=())), max_size=3))
def test_any_text_is_read(model, texts):
    found = model.read(texts)
    assert found.shape == (len(texts), model.width)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_more_texts_than_fit_one_run_keep_their_order(model):
    texts = [word for word in word_models.WORDS[2:]] * 5
    np.testing.assert_allclose(model.read(texts)[7:8], model.read(texts[7:8]), atol=1e-6)


def test_a_long_text_is_cut_and_not_refused(model):
    assert model.read(["a person " * 5000]).shape == (1, model.width)


def test_without_a_text_tower_nothing_is_read_and_no_library_is_needed(tmp_path, monkeypatch):
    tiny_words(tmp_path / "model", tower=False)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    model = load_words(tmp_path / "model")
    assert model.read(["a person"]) is None
    assert not model.reads


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    tiny_words(tmp_path / "model")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ModelError, match=r"vad-edge\[words\]"):
        load_words(tmp_path / "model")


def test_the_version_names_what_action_features_depend_on(tmp_path):
    first = tiny_words(tmp_path / "a")
    assert load_words(tmp_path / "a").version == first.version
    assert tiny_words(tmp_path / "b", tower=False).version == first.version
    assert tiny_words(tmp_path / "c", seed=1).version != first.version
    assert tiny_words(tmp_path / "d", tfc=False).version != first.version


def test_a_model_that_misses_its_golden_features_is_neither_saved_nor_loaded(tmp_path):
    wrong = GoldenWords(np.ones((1, 3, 8), np.float32), -np.ones((1, 8), np.float32))
    with pytest.raises(ModelError, match="golden vectors"):
        tiny_words(tmp_path / "model", golden=wrong)
    assert not (tmp_path / "model").exists()


def test_a_temporal_part_of_another_number_of_crops_is_refused(tmp_path):
    tiny_words(tmp_path / "model")
    replace_file(tmp_path / "model", TFC, word_models.newest_graph(4, 8))
    with pytest.raises(ModelError, match=TFC):
        load_words(tmp_path / "model")


def test_a_text_tower_that_misses_its_golden_texts_is_refused(tmp_path):
    tiny_words(tmp_path / "model")
    other = word_models.tower_graph(np.random.default_rng(9).normal(size=(8, 8)).astype(np.float32))
    replace_file(tmp_path / "model", f"text/{tokens.GRAPH}", other)
    with pytest.raises(ModelError, match="golden vectors"):
        load_words(tmp_path / "model")


@pytest.mark.parametrize("name", [PROMPTS, GOLDEN, TFC, "text/tokenizer.json", "text/text.onnx"])
@pytest.mark.parametrize("content", [b"", b"\0" * 64, b'{"a": 1}'])
def test_hostile_files_are_refused(tmp_path, name, content):
    tiny_words(tmp_path / "model")
    replace_file(tmp_path / "model", name, content)
    with pytest.raises(ModelError):
        load_words(tmp_path / "model")


@pytest.mark.parametrize("name", [PROMPTS, TFC, "backbone/backbone.onnx"])
def test_a_file_that_the_manifest_does_not_know_is_refused(tmp_path, name):
    tiny_words(tmp_path / "model")
    (tmp_path / "model" / name).write_bytes(b"other")
    with pytest.raises(ModelError, match="not the file"):
        load_words(tmp_path / "model")


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(format="vad-words-0"),
        lambda manifest: manifest.update(words={}),
        lambda manifest: manifest["words"].update(width=9),
        lambda manifest: manifest["words"].update(frames="3"),
        lambda manifest: manifest["words"].update(alpha=2),
        lambda manifest: manifest.pop("golden_texts"),
        lambda manifest: manifest["files"].pop("backbone/manifest.json"),
    ],
)
def test_hostile_manifests_are_refused(tmp_path, change):
    tiny_words(tmp_path / "model")
    rewrite(tmp_path / "model", change)
    with pytest.raises(ModelError):
        load_words(tmp_path / "model")


def test_parts_of_different_widths_are_refused(tmp_path):
    backbone = tiny_backbone(tmp_path / "other", width=4)
    with pytest.raises(ModelError, match="not of one model"):
        tiny_words(tmp_path / "model", backbone=backbone)


def test_a_backbone_of_clips_is_refused(tmp_path):
    backbone = tiny_backbone(tmp_path / "other", frames=2)
    with pytest.raises(ModelError, match="single pictures"):
        tiny_words(tmp_path / "model", backbone=backbone)


def test_prompts_of_another_width_are_refused(tmp_path):
    prompts = TextEmbeddings(("a",), np.ones((1, 1), np.float32), "tiny", "")
    with pytest.raises(ModelError, match="not of one model"):
        tiny_words(tmp_path / "model", prompts=prompts)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        load_words(tmp_path / "nowhere")


def test_a_tokenizer_that_does_not_pad_is_refused(tmp_path):
    made = word_models.tokenizer()
    made.no_padding()
    tiny_words(tmp_path / "model")
    replace_file(tmp_path / "model", "text/tokenizer.json", made.to_str().encode())
    with pytest.raises(ModelError, match="pad"):
        load_words(tmp_path / "model")


def test_a_specification_says_what_is_wrong_with_it():
    with pytest.raises(ModelError, match="above 0"):
        WordSpec("tiny", 0)
    with pytest.raises(ModelError, match="from 0 to 1"):
        WordSpec("tiny", 8, alpha=-0.1)
