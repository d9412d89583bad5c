import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from edge.errors import FeatureVersionError, ModelError, StorageError, VadError
from edge.scoring.model import CameraModel
from edge.scoring.scorer import CameraScorer
from edge.scoring.store import load_camera_model, save_camera_model
from tests.scoring.camera import CELLS, GAIT, cells, footage, gait, learn, observe

SPECS = [GAIT, CELLS]


@pytest.fixture(scope="module", params=["neighbours", "kmeans"])
def model(request: pytest.FixtureRequest) -> CameraModel:
    return learn(footage(400, with_cells=True), normality=request.param, size=60)


@pytest.fixture
def stored(model: CameraModel, tmp_path: Path) -> Path:
    path = tmp_path / "models" / "gate.safetensors"
    save_camera_model(path, model)
    return path


def test_a_stored_model_scores_the_same(model: CameraModel, stored: Path):
    loaded = load_camera_model(stored, SPECS)
    seen = gait([(1.0, 0.1), (4.0, 0.1)]), cells([5, 5, 11])
    frames = [observe(CameraScorer(m, labels=["person"]), *seen, index=0) for m in (model, loaded)]
    assert frames[0].score == pytest.approx(frames[1].score, rel=1e-5)
    assert [r.reason for r in frames[0].regions] == [r.reason for r in frames[1].regions]
    assert (loaded.budget, loaded.options) == (model.budget, model.options)
    assert (loaded.camera, loaded.version) == (model.camera, model.version)
    assert list(stored.parent.iterdir()) == [stored]


def test_what_is_stored_again_is_the_same(stored: Path):
    first = load_file(stored)
    save_camera_model(stored, load_camera_model(stored, SPECS))
    again = load_file(stored)
    assert set(again) == set(first)
    for name, array in first.items():
        np.testing.assert_array_equal(again[name], array)


@pytest.mark.parametrize(
    "specs", [[CELLS], [replace(GAIT, revision=2), CELLS], [replace(GAIT, excess=True), CELLS]]
)
def test_a_model_of_other_features_is_refused(stored: Path, specs):
    with pytest.raises(FeatureVersionError, match=r"gate\.safetensors: .*learn the camera anew"):
        load_camera_model(stored, specs)


@pytest.mark.parametrize("keep", [0, 5, 200, -1])
def test_a_truncated_file_is_refused(stored: Path, keep: int):
    stored.write_bytes(stored.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"gate\.safetensors: damaged"):
        load_camera_model(stored, SPECS)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(at=st.integers(0, 6000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_changes_numbers_alone(stored: Path, at: int, bit: int):
    whole = bytearray(stored.read_bytes())
    damaged = bytearray(whole)
    damaged[at % len(whole)] ^= 1 << bit
    stored.write_bytes(damaged)
    try:
        with suppress(VadError):  # and nothing else may be raised
            load_camera_model(stored, SPECS)
    finally:
        stored.write_bytes(whole)


def test_a_missing_file_says_what_to_do(tmp_path: Path):
    with pytest.raises(ModelError, match="learn the camera first"):
        load_camera_model(tmp_path / "none.safetensors", SPECS)


def test_a_folder_in_its_place_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match=r"cannot be read|damaged"):
        load_camera_model(tmp_path, SPECS)


def test_a_foreign_file_is_refused(stored: Path):
    save_file(load_file(stored), stored)
    with pytest.raises(ModelError, match="not a camera model"):
        load_camera_model(stored, SPECS)


def test_numbers_that_are_none_are_refused(stored: Path, model: CameraModel):
    poisoned = replace(model, evidence=replace(model.evidence, scale=float("nan")))
    save_camera_model(stored, poisoned)
    with pytest.raises(ModelError, match="not finite"):
        load_camera_model(stored, SPECS)


@pytest.mark.parametrize("gone", ["evidence.knots", "0.level.scale", "0.standardiser.spread"])
def test_a_part_that_is_missing_is_named(stored: Path, gone: str):
    arrays = load_file(stored)
    del arrays[gone]
    save_again(stored, arrays)
    with pytest.raises(ModelError, match=f"incomplete.*{gone.rpartition('.')[2]}"):
        load_camera_model(stored, SPECS)


@pytest.mark.parametrize("part", ["evidence.scale", "0.level.scale", "0.standardiser.spread"])
def test_a_part_that_is_empty_is_refused(stored: Path, part: str):
    arrays = load_file(stored)
    save_again(stored, arrays | {part: arrays[part][:0]})
    with pytest.raises(ModelError, match="incomplete"):
        load_camera_model(stored, SPECS)


def save_again(path: Path, arrays) -> None:
    """Other arrays under the header that the file has."""
    payload = path.read_bytes()
    header = json.loads(payload[8 : 8 + int.from_bytes(payload[:8], "little")])
    save_file(arrays, path, metadata=header["__metadata__"])


def test_a_folder_that_cannot_be_written_is_said(model: CameraModel, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        save_camera_model(tmp_path / "file" / "gate.safetensors", model)
