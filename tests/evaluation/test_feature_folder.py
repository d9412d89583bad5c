import json
from pathlib import Path

import numpy as np
import pytest

from edge.errors import DatasetError
from edge.evaluation.feature_folder import read_features
from tests.fakes.feature_folder import SEGMENT_FRAMES, WIDTH, write_features


@pytest.fixture
def features(tmp_path: Path) -> Path:
    return write_features(tmp_path)


def test_a_whole_folder_reads_and_nothing_is_left_out(features: Path):
    folder = read_features(features)
    assert (folder.kind, folder.left_out) == ("embedding", ())
    assert len(folder.train) == 12
    assert sum(folder.abnormal.values()) == 4
    np.testing.assert_array_equal(folder.starts("t0"), np.arange(16) * SEGMENT_FRAMES)


def test_crops_are_averaged(features: Path):
    crops = np.random.default_rng(0).normal(size=(10, 16, WIDTH))
    np.save(features / "features" / "test" / "t0.npy", crops)
    values = read_features(features).test["t0"]
    np.testing.assert_allclose(values, crops.mean(axis=0), rtol=1e-5)
    assert values.dtype == np.float32


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros((3, WIDTH + 1), np.float32), "width 7, not 6"),
        (np.full((3, WIDTH), np.nan, np.float32), "not finite"),
        (np.zeros(WIDTH, np.float32), "no (m, d)"),
        (np.zeros((0, WIDTH), np.float32), "no (m, d)"),
        (np.array([["a"]]), "no (m, d)"),
    ],
)
def test_a_clip_that_does_not_fit_is_left_out_and_listed(features: Path, values, reason: str):
    np.save(features / "features" / "train" / "n00.npy", values)
    folder = read_features(features)
    assert "n00" not in folder.train
    (told,) = [what for what in folder.left_out if what.startswith("train/n00")][:1]
    assert reason in told


def test_bytes_that_are_no_array_are_left_out(features: Path):
    (features / "features" / "test" / "t0.npy").write_bytes(b"not it")
    folder = read_features(features)
    assert "t0" not in folder.test
    assert any(what.startswith("test/t0") for what in folder.left_out)


def relabel(root: Path, **labels: list[int]) -> None:
    path = root / "annotations" / "test_frame_labels.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **labels}))


def test_labels_and_clips_that_miss_each_other_are_listed(features: Path):
    relabel(features, ghost=[0, 1], t1=[0] * 15)
    (features / "features" / "test" / "t2.npy").rename(features / "features" / "test" / "new.npy")
    told = "; ".join(read_features(features).left_out)
    assert "test/ghost: labels without features" in told
    assert "test/t2: labels without features" in told
    assert "test/new: no frame labels" in told
    assert "test/t1: 15 frame labels for 16 segments" in told


@pytest.mark.parametrize(
    ("frames", "fits"), [(59, False), (60, False), (61, True), (64, True), (67, True), (68, False)]
)
def test_declared_segments_must_cover_the_labels(features: Path, frames: int, fits: bool):
    (features / "dataset.json").write_text(json.dumps({"segment_frames": SEGMENT_FRAMES}))
    relabel(features, t0=[0] * frames)
    assert ("t0" in read_features(features).test) is fits


@pytest.mark.parametrize(
    "declared", [{"kind": "sound"}, {"segment_frames": 0}, {"segment_frames": "16"}, {"fps": 3}, []]
)
def test_another_declaration_is_refused(features: Path, declared):
    (features / "dataset.json").write_text(json.dumps(declared))
    with pytest.raises(DatasetError, match=r"dataset\.json"):
        read_features(features)


def test_a_folder_without_clips_says_what_is_expected(tmp_path: Path):
    with pytest.raises(DatasetError, match="expected features/train"):
        read_features(tmp_path)
    root = write_features(tmp_path / "empty", train=0)
    with pytest.raises(DatasetError, match="no clip to learn from"):
        read_features(root)


def test_video_labels_are_zero_or_one(features: Path):
    (features / "annotations" / "train_video_labels.json").write_text('{"n00": 2}')
    with pytest.raises(DatasetError, match="train_video_labels"):
        read_features(features)
