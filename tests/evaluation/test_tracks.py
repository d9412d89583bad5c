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
    report, scored = evaluate_tracks(root)
    assert report.clips == ("01_0001",)
    assert [what[:9] for what in report.left_out] == ["camera 02"]
    assert report.auc["micro"]["causal"] > 0.85
    (clip,) = scored
    assert (clip.name, clip.camera, clip.analysed) == ("01_0001", "01", 32)
    assert len(clip.clip.scores) == len(clip.clip.labels) == 96
    content = json.loads(json.dumps(report.as_json()))
    assert content["dataset"] == "shanghaitech-tracks"
    assert 0 <= content["baselines"]["fastest_object"]["micro"]["causal"] <= 1


def test_frames_between_inherit_and_a_score_does_not_know_the_future(root: Path):
    whole = evaluate_tracks(root)[1][0].clip.scores
    np.testing.assert_array_equal(whole[0::3], whole[1::3])
    np.testing.assert_array_equal(whole[0::3], whole[2::3])
    labels = {"01_0001": [0] * 48 + [1] * 22}
    (root / "test_frame_labels.json").write_text(json.dumps(labels))
    np.testing.assert_array_equal(evaluate_tracks(root)[1][0].clip.scores, whole[:70])


def test_progress_sees_every_camera(root: Path):
    seen: list[str] = []

    def watched(cameras):
        for camera in cameras:
            seen.append(camera)
            yield camera

    evaluate_tracks(root, progress=watched)
    assert seen == ["01"]


@pytest.mark.parametrize("name", ["tracks_train.npz", "tracks_test.npz", "test_frame_labels.json"])
def test_a_damaged_folder_is_named(root: Path, name: str):
    (root / name).write_bytes(b"not it")
    with pytest.raises(DatasetError, match=rf"{name}: .*expected tracks_train\.npz"):
        evaluate_tracks(root)


@pytest.mark.parametrize("labels", ["[]", '{"01_0001": [2]}', '{"01_0001": "01"}'])
def test_labels_of_another_form_are_refused(root: Path, labels: str):
    (root / "test_frame_labels.json").write_text(labels)
    with pytest.raises(DatasetError, match=r"test_frame_labels\.json: .*must be"):
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
