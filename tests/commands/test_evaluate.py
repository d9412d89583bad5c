import json
import math
import shutil

import cv2
import numpy as np
import pytest

from edge.evaluation.synthetic import labels, write_dataset
from edge.ingest.synthetic import Planted, Street, StreetOptions
from edge.model.artifact import save_artifact
from tests.fakes.students import artifact
from tests.fakes.words import save_tiny_words

TINY = {"width_px": 160, "height_px": 90, "fps": 10.0}
NORMAL = Street(StreetOptions(**TINY, duration_s=16.0, seed=1))
ODD = Street(StreetOptions(**TINY, duration_s=8.0, seed=2, planted=(Planted("cycling", 4.0),)))
CALM = Street(StreetOptions(**TINY, duration_s=2.0, seed=3))
CLIP_DATASETS = ("ped2", "avenue")
LABELS = ("annotations", "test_frame_labels.json")


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """A data set of clips as it lies on a disk."""
    root = tmp_path_factory.mktemp("street")
    write_dataset(root, train={"01": NORMAL}, test={"a": ODD, "b": CALM}, rate_hz=10)
    return root


@pytest.fixture
def own_street(street, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(street, tmp_path / "street")


@pytest.fixture
def walk(tmp_path):
    """A MOTChallenge sequence of two people whose boxes are found exactly."""
    root = tmp_path / "walk"
    root.mkdir()
    rows = [
        f"{frame},{one},{10 + 100 * one + 3 * frame},50,20,60,1,-1,-1,-1"
        for frame in range(1, 31)
        for one in (1, 2)
    ]
    for name in ("det.txt", "gt.txt"):
        (root / name).write_text("\n".join(rows) + "\n")
    return root


def numbers(value):
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from numbers(item)
    elif not isinstance(value, str):
        yield value


@pytest.mark.parametrize("dataset", CLIP_DATASETS)
def test_clips_are_learnt_scored_and_drawn(shell, street, dataset):
    plots = shell.folder / "plots"
    code, figures = shell.json("eval", "--dataset", dataset, "--root", street, "--plot", plots)
    assert code == 0
    assert figures["dataset"] == dataset
    assert set(figures["auc"]) == {"micro", "macro"}
    assert all(set(ways) == {"causal", "smoothed"} for ways in figures["auc"].values())
    assert set(figures["baselines"]) == {"largest_frame_difference", "fastest_object"}
    assert all(value is None or math.isfinite(value) for value in numbers(figures))
    assert figures["auc"]["micro"]["causal"] > 0.8
    assert figures["events"]["events"] == 1
    assert (figures["clips"], figures["left_out"]) == (["a", "b"], [])
    assert sorted(path.name for path in plots.iterdir()) == [
        f"{dataset}-a.png",
        f"{dataset}-b.png",
    ]
    assert cv2.imread(str(plots / f"{dataset}-a.png")).std() > 1


def test_a_person_is_told_the_same_in_words(shell, street):
    code, out, _ = shell.run("eval", "--dataset", "ped2", "--root", street, "--analysis-hz", 5)
    assert code == 0
    assert out.startswith("ped2: 2 clips")
    assert "largest_frame_difference" in out
    assert "looks ahead" in out
    assert not (shell.folder / "plots").exists()


def test_a_clip_whose_labels_do_not_fit_is_left_out_and_named(shell, own_street):
    path = own_street.joinpath(*LABELS)
    marked = {"a": labels(ODD).astype(int).tolist(), "b": [0] * 7, "ghost": [0]}
    path.write_text(json.dumps(marked))
    code, figures = shell.json("eval", "--dataset", "ped2", "--root", own_street)
    assert code == 0
    assert figures["clips"] == ["a"]
    ghost, misfit = figures["left_out"]
    assert ghost == "ghost: labels without a clip"
    assert "b.mkv: more than 7 frames, but 7 labels" in misfit


def test_a_sequence_is_followed_and_compared(shell, walk):
    code, figures = shell.json("eval", "--dataset", "mot", "--root", walk)
    assert code == 0
    assert figures["dataset"] == "mot"
    assert figures["objects"] == 60
    assert figures["idf1"] > 0.9
    assert figures["mota"] > 0.9
    assert figures["switches"] == figures["false_positives"] == 0
    _, out, _ = shell.run("eval", "--dataset", "mot", "--root", walk)
    assert out.startswith("MOTA 9") or out.startswith("MOTA 100")


def test_real_tracks_are_compared_with_the_truth(shell, vad_data):
    root = vad_data / "data" / "mot" / "TUD-Campus"
    code, figures = shell.json("eval", "--dataset", "mot", "--root", root)
    assert code == 0
    assert set(figures) >= {"mota", "idf1", "misses", "false_positives", "switches", "objects"}
    assert 0 < figures["idf1"] <= 1


def test_tracks_without_pixels_are_learnt_and_scored(shell, tmp_path):
    rng = np.random.default_rng(0)

    def walkers():
        frame = np.repeat(np.arange(150), 2)
        x = 100 + 3 * frame + rng.normal(0, 1, 300)
        rows = [frame, np.tile([1, 2], 150), x, 0 * x + 200, x + 40, 0 * x + 300]
        return np.stack(rows, axis=1).astype(np.int32)

    np.savez(tmp_path / "tracks_train.npz", **{f"01_00{k}": walkers() for k in range(4)})
    np.savez(tmp_path / "tracks_test.npz", **{"01_0001": walkers()})
    (tmp_path / "test_frame_labels.json").write_text(json.dumps({"01_0001": [0] * 90 + [1] * 60}))
    code, figures = shell.json("eval", "--dataset", "shanghaitech-tracks", "--root", tmp_path)
    assert code == 0
    assert set(figures["baselines"]) == {"fastest_object"}
    assert figures["clips"] == ["01_0001"]


@pytest.mark.parametrize("dataset", [*CLIP_DATASETS, "shanghaitech-tracks", "mot"])
def test_a_data_set_needs_its_folder(shell, dataset):
    code, out, err = shell.run("eval", "--dataset", dataset)
    assert (code, out) == (2, "")
    assert "needs --root DIR" in err


@pytest.mark.parametrize(
    ("dataset", "layout"),
    [
        ("ped2", "expected video/train and video/test with NAME{.mkv,.avi,.mp4}, and annotations/"),
        ("avenue", "expected video/train and video/test"),
        ("shanghaitech-tracks", "expected tracks_train.npz, tracks_test.npz and test_frame_labels"),
        ("mot", "expected det.txt and gt.txt"),
    ],
)
@pytest.mark.parametrize("folder", [".", "nowhere"])
def test_a_folder_of_something_else_is_named_with_the_layout(shell, dataset, layout, folder):
    root = shell.folder / folder
    code, out, err = shell.run("eval", "--dataset", dataset, "--root", root)
    assert (code, out) == (1, "")
    assert str(root) in err
    assert layout in err


@pytest.mark.parametrize("dataset", ["imagenet", ""])
def test_an_unknown_data_set_is_refused(shell, dataset):
    with pytest.raises(SystemExit) as stopped:
        shell.run("eval", "--dataset", dataset)
    assert stopped.value.code == 2


@pytest.mark.parametrize("what", ["--student", "--words"])
def test_what_sees_pixels_is_refused_for_tracks(shell, walk, what):
    code, _, error = shell.run("eval", "--dataset", "mot", "--root", walk, what, walk)
    assert code == 2
    assert "looks at footage" in error


def test_an_exported_student_is_one_more_term(shell, street, tmp_path):
    """Sixteen seconds are too little to calibrate it: that is said, it is never left out."""
    save_artifact(tmp_path / "made", artifact("clap"))
    code, _, error = shell.run(
        "eval", "--dataset", "ped2", "--root", street, "--student", tmp_path / "made"
    )
    assert code == 1
    assert "to calibrate student" in error


def test_words_may_be_the_only_term(shell, street, tmp_path):
    save_tiny_words(tmp_path / "words")
    options = ["--dataset", "ped2", "--root", street, "--words", tmp_path / "words"]
    code, figures = shell.json("eval", *options, "--no-motion", "--analysis-hz", 5)
    assert code == 0
    assert 0 <= figures["auc"]["micro"]["causal"] <= 1


def test_without_motion_somebody_must_judge(shell, street):
    code, _, error = shell.run("eval", "--dataset", "ped2", "--root", street, "--no-motion")
    assert code == 2
    assert "needs --words or --student" in error
