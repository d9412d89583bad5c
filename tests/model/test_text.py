import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from edge.errors import ModelError, StorageError
from edge.model.text import EMBEDDINGS, FORMAT, TextEmbeddings, load_text, save_text

METADATA = {
    "format": FORMAT,
    "prompts": json.dumps(["a person runs", "一个人"]),
    "model": "ViT-B-32",
    "tower_sha256": "0" * 64,
}
UNIT = np.eye(2, 5, dtype=np.float32)
REUSED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def texts(prompts: tuple[str, ...]) -> TextEmbeddings:
    embeddings = np.random.default_rng(0).standard_normal((len(prompts), 7))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return TextEmbeddings(prompts, embeddings.astype(np.float32), "ViT-B-32", "f" * 64)


@REUSED_FOLDER
@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, unique=True))
def test_what_is_written_is_read(tmp_path: Path, prompts: list[str]):
    written = texts(tuple(prompts))
    save_text(tmp_path / "words.safetensors", written)
    read = load_text(tmp_path / "words.safetensors")
    assert (read.prompts, read.model, read.tower_sha256) == (tuple(prompts), "ViT-B-32", "f" * 64)
    np.testing.assert_array_equal(read.embeddings, written.embeddings)


def write(path: Path, metadata: dict[str, str] | None, **arrays: np.ndarray) -> Path:
    path.write_bytes(save(arrays, metadata=metadata))
    return path


def test_the_file_of_this_module_is_read(tmp_path: Path):
    assert load_text(write(tmp_path / "ok", METADATA, **{EMBEDDINGS: UNIT})).prompts[1] == "一个人"


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "vad-text-2"},
        {"prompts": "[1, 2]"},
        {"prompts": '["one"]'},
        {"prompts": '["twice", "twice"]'},
        {"prompts": '["", "b"]'},
        {"prompts": '{"a": 0, "b": 1}'},
        {"prompts": '"ab"'},
        {"prompts": "["},
        {"prompts": "[" * 100_000},
    ],
)
def test_hostile_metadata_is_refused(changes: dict[str, str], tmp_path: Path):
    path = write(tmp_path / "bad", METADATA | changes, **{EMBEDDINGS: UNIT})
    with pytest.raises(ModelError, match="text embeddings"):
        load_text(path)


@pytest.mark.parametrize("missing", METADATA)
def test_metadata_must_be_complete(missing: str, tmp_path: Path):
    rest = {name: value for name, value in METADATA.items() if name != missing}
    with pytest.raises(ModelError, match="text embeddings"):
        load_text(write(tmp_path / "bad", rest, **{EMBEDDINGS: UNIT}))


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {EMBEDDINGS: UNIT, "more": UNIT},
        {EMBEDDINGS: UNIT[0]},
        {EMBEDDINGS: UNIT[:1]},
        {EMBEDDINGS: 2 * UNIT},
        {EMBEDDINGS: 0 * UNIT},
        {EMBEDDINGS: np.full((2, 5), np.nan, np.float32)},
        {EMBEDDINGS: UNIT.astype(np.float64)},
        {EMBEDDINGS: UNIT[:, :0]},
    ],
)
def test_hostile_arrays_are_refused(arrays: dict[str, np.ndarray], tmp_path: Path):
    with pytest.raises(ModelError, match="text embeddings"):
        load_text(write(tmp_path / "bad", METADATA, **arrays))


@REUSED_FOLDER
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="bad"):
        load_text(path)


def test_a_missing_file_and_a_full_disk_are_told(tmp_path: Path):
    with pytest.raises(ModelError, match="nowhere"):
        load_text(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=tmp_path.name):
        load_text(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="words"):
        save_text(tmp_path / "file" / "words", texts(("a",)))
