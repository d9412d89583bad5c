import json
from pathlib import Path

import numpy as np
import pytest

from edge.errors import DatasetError
from edge.evaluation.tracks import TracksDataset, evaluate_tracks


def walkers(frames: int, seed: int, *, runner: bool = False):
    """Two people who walk, and one who runs in the second half."""
    rng = np.random.default_rng(seed)
    rows = []
    for track, speed in ((1, 60.0), (2, -70.0), (3, 320.0)):
        if track == 3 and not runner:
            continue
        start = frames // 2 if track == 3 else 0
        t = np.arange(start, frames)
        x = 400 + speed * (t - start) / 24 + rng.normal(0, 0.5, len(t))
        box = [t, t * 0 + track, x - 20, t * 0 + 200, x + 20, t * 0 + 300]
        rows.append(np.stack(box, axis=1))
    return np.concatenate(rows).astype(np.int32)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    train = {f"01_{k:03d}": walkers(120, k) for k in range(6)}
    test = {"01_0001": walkers(96, 50, runner=True), "02_0001": walkers(96, 51)}
    np.savez(tmp_path / "tracks_train.npz", **train)
    np.savez(tmp_path / "tracks_test.npz", **test)
    labels = {"01_0001": [0] * 48 + [1] * 48}
    (tmp_path / "test_frame_labels.json").write_text(json.dumps(labels))
    return tmp_path


def test_a_runner_is_found_and_the_unlabelled_camera_is_listed(root: Path):
    report = evaluate_tracks(root)
    assert report.clips == ("01_0001",)
    assert [what[:9] for what in report.left_out] == ["camera 02"]
    assert report.auc["micro"]["causal"] > 0.85
    content = json.loads(json.dumps(report.as_json()))
    assert content["dataset"] == "shanghaitech-tracks"
    assert 0 <= content["baselines"]["fastest_object"]["micro"]["causal"] <= 1


@pytest.mark.parametrize("name", ["tracks_train.npz", "tracks_test.npz", "test_frame_labels.json"])
def test_a_damaged_folder_is_named(root: Path, name: str):
    (root / name).write_bytes(b"not it")
    with pytest.raises(DatasetError, match=name):
        evaluate_tracks(root)


def test_a_folder_without_labels_says_so(root: Path):
    (root / "test_frame_labels.json").write_text("{}")
    with pytest.raises(DatasetError, match="no camera has both"):
        evaluate_tracks(root)


def test_rows_of_another_width_are_refused(root: Path):
    np.savez(root / "tracks_test.npz", **{"01_0001": np.zeros((3, 5), np.int32)})
    with pytest.raises(DatasetError, match=r"01_0001 has shape \(3, 5\)"):
        evaluate_tracks(root)


def test_the_real_folder_reads(vad_data: Path):
    dataset = TracksDataset.read(vad_data / "data" / "shanghaitech-tracks")
    usable, left_out = dataset.cameras()
    assert usable == ["01", "02", "04", "06", "08", "10"]
    assert "13" in left_out
