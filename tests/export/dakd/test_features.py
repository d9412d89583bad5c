import json
from pathlib import Path

import numpy as np
import pytest

from edge.errors import DatasetError
from export.dakd.features import read_backbones
from tests.export.dakd.toy import WIDTHS, toy, write

NAMES = list(WIDTHS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path, toy())


def rewrite(path: Path, change) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def test_what_was_written_is_read(root: Path):
    written, found = toy(), read_backbones(root, NAMES)
    assert (found.backbones, found.widths) == (written.backbones, tuple(WIDTHS.values()))
    assert found.abnormal == written.abnormal
    assert found.digest() == written.digest()
    for name, judged in written.test.items():
        np.testing.assert_array_equal(found.test[name].labels, judged.labels)
        np.testing.assert_array_equal(found.test[name].starts, judged.starts)


def test_the_backbones_are_in_the_order_that_was_asked_for(root: Path):
    assert read_backbones(root, ["c", "a"]).widths == (WIDTHS["c"], WIDTHS["a"])
    assert read_backbones(root, NAMES).of("c", "a").widths == (WIDTHS["c"], WIDTHS["a"])


def test_a_clip_that_one_backbone_lacks_is_left_out_and_named(root: Path):
    (root / "b/features/train/v03.npy").unlink()
    (root / "c/features/test/t1.npy").unlink()
    found = read_backbones(root, NAMES)
    assert "v03" not in found.train
    assert "t1" not in found.test
    why = "(too short, or not extracted)"
    named = {f"train/v03: not seen by b {why}", f"test/t1: not seen by c {why}"}
    assert named <= set(found.left_out)
    assert len(found.train) == 15


def test_a_clip_of_other_segments_is_left_out_and_named(root: Path):
    np.save(root / "b/features/train/v00.npy", np.zeros((7, WIDTHS["b"]), np.float32))
    found = read_backbones(root, NAMES)
    assert "v00" not in found.train
    assert "train/v00: 12, 7, 12 segments of the same clip" in found.left_out


def test_a_clip_without_a_video_label_is_left_out_and_named(root: Path):
    for name in NAMES:
        path = root / name / "annotations/train_video_labels.json"
        rewrite(path, lambda labels: {k: v for k, v in labels.items() if k != "v05"})
    found = read_backbones(root, NAMES)
    assert "v05" not in found.train
    assert "train/v05: no video label" in found.left_out


@pytest.mark.parametrize("lost", ["features/test", "annotations/test_frame_labels.json"])
def test_without_labelled_test_clips_there_is_still_something_to_learn(root: Path, lost: str):
    for name in NAMES:
        (root / name / lost).rename(root / name / "elsewhere")
    found = read_backbones(root, NAMES, judged=False)
    assert (len(found.train), found.test) == (16, {})
    with pytest.raises(DatasetError, match=lost):
        read_backbones(root, NAMES)


@pytest.mark.parametrize(
    ("path", "change", "why"),
    [
        ("dataset.json", lambda d: d | {"segment_frames": None}, "segments of a have 4 frames"),
        ("annotations/test_frame_labels.json", lambda d: d | {"t0": [0] * 48}, "label t0"),
        ("annotations/train_video_labels.json", lambda d: d | {"v00": 0}, "label v00"),
    ],
)
def test_backbones_that_disagree_are_refused(root: Path, path: str, change, why: str):
    rewrite(root / "b" / path, change)
    with pytest.raises(DatasetError, match=why):
        read_backbones(root, NAMES)


@pytest.mark.parametrize("value", [0, 1])
def test_videos_of_one_class_teach_nothing(root: Path, value: int):
    for name in NAMES:
        path = root / name / "annotations/train_video_labels.json"
        rewrite(path, lambda labels: dict.fromkeys(labels, value))
    with pytest.raises(DatasetError, match="train_video_labels"):
        read_backbones(root, NAMES)


@pytest.mark.parametrize(("names", "why"), [(["a", "a"], "once"), ([], "none"), (["z"], "no such")])
def test_a_wrong_choice_of_backbones_is_refused(root: Path, names, why: str):
    with pytest.raises(DatasetError, match=why):
        read_backbones(root, names)


def test_the_digest_changes_with_what_is_learnt_from(root: Path):
    before = read_backbones(root, NAMES).digest()
    rewrite(root / "a/annotations/test_frame_labels.json", lambda d: d)
    assert read_backbones(root, NAMES).digest() == before
    values = np.load(root / "c/features/train/v00.npy")
    values[0, 0] += 1
    np.save(root / "c/features/train/v00.npy", values)
    assert read_backbones(root, NAMES).digest() != before
