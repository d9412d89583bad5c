import json
from pathlib import Path

import pytest

from export.cli import main
from tests.export.dakd.toy import origin, toy, write

pytest.importorskip("torch")
folder_room = pytest.importorskip("export.dakd.folder")
load_training = folder_room.load_training

SMALL = ["--hidden", "16", "--attention-heads", "2", "--reach", "3", "--window", "4"]
SHORT = ["--epochs", "2", *SMALL]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("features"), toy(train=8, test=4))


@pytest.fixture(scope="module")
def teacher(root: Path, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("teacher") / "out"
    arguments = ["--features", str(root), "--backbones", "a", "b", "c", "--out", str(out)]
    assert main(["teacher", *arguments, *SHORT]) == 0
    return out


def distil(root: Path, out: Path, *more: str) -> int:
    arguments = ["--features", str(root), "--backbone", "b", "--out", str(out)]
    return main(["distil", *arguments, *SHORT, *more])


def test_a_teacher_is_stored_with_what_it_was_made_of(teacher: Path):
    training = load_training(teacher)
    assert training.backbones == ("a", "b", "c")
    assert training.origins == (origin("a"), origin("b"), origin("c"))
    assert training.options["epochs"] == 2
    assert training.options["weight_decay"] == 1e-3
    assert training.provenance["seed"] == 0
    assert len(training.provenance["train_sha256"]) == 64
    assert {"torch", "numpy", "auc_live", "auc_whole"} <= training.provenance.keys()
    assert [path.name for path in teacher.parent.iterdir()] == ["out"]


def test_a_student_is_distilled(root: Path, teacher: Path, tmp_path: Path, capsys):
    out = tmp_path / "student"
    more = ["--teacher", str(teacher), "--causal", "--seed", "3", "--no-min-max"]
    assert distil(root, out, *more, "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["backbones"] == ["b"]
    assert set(told["auc"]) == {"whole", "live"}
    training = load_training(out)
    assert (training.spec.head, training.spec.inputs, training.spec.window) == ("dakd", 8, 4)
    assert training.spec.causal
    assert training.options["min_max"] is False
    assert training.provenance["teacher"] == "a, b, c"
    assert training.origins == (origin("b"),)


def test_a_student_alone_needs_no_teacher(root: Path, tmp_path: Path, capsys):
    assert distil(root, tmp_path / "out") == 2
    assert "--predictions video-labels --alpha 0" in capsys.readouterr().err
    assert distil(root, tmp_path / "out", "--predictions", "video-labels", "--alpha", "0") == 0
    assert load_training(tmp_path / "out").provenance["teacher"] == "video labels alone"


def test_a_teacher_that_is_not_asked_is_refused(root: Path, teacher: Path, tmp_path: Path, capsys):
    alone = ["--predictions", "video-labels", "--alpha", "0", "--teacher", str(teacher)]
    assert distil(root, tmp_path / "out", *alone) == 2
    assert "asks none" in capsys.readouterr().err


def test_a_student_teaches_nobody(root: Path, teacher: Path, tmp_path: Path, capsys):
    assert distil(root, tmp_path / "one", "--teacher", str(teacher)) == 0
    assert distil(root, tmp_path / "two", "--teacher", str(tmp_path / "one")) == 2
    assert "holds a student" in capsys.readouterr().err


def test_a_teacher_of_other_features_is_refused(teacher: Path, tmp_path: Path, capsys):
    other = toy(train=8, test=4).of("b", "a", "c")
    object.__setattr__(other, "backbones", ("a", "b", "c"))
    root = write(tmp_path / "features", other)
    assert distil(root, tmp_path / "out", "--teacher", str(teacher)) == 1
    assert "widths (10, 8, 12)" in capsys.readouterr().err


def changed(folder: Path, **fields) -> None:
    path = folder / "extract.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_teacher_of_another_backbones_features_is_refused(teacher: Path, tmp_path: Path, capsys):
    """They are as wide, and of as many clips: only their version tells."""
    root = write(tmp_path / "features", toy(train=8, test=4))
    changed(root / "c", spec_versions=["scene-embedding picture x4 by c-2"])
    assert distil(root, tmp_path / "out", "--teacher", str(teacher)) == 2
    said = capsys.readouterr().err
    assert "holds of c: spec_versions" in said
    assert "by c-2" in said


def test_features_of_footage_sampled_otherwise_are_refused(teacher: Path, tmp_path: Path, capsys):
    root = write(tmp_path / "features", toy(train=8, test=4))
    changed(root / "c", footage={"analysis_hz": 10.0, "max_width_px": 640})
    arguments = ["--features", str(root), "--backbones", "a", "c", "--out", str(tmp_path / "out")]
    assert main(["teacher", *arguments, *SHORT]) == 1
    assert "seen unlike" in capsys.readouterr().err
    for name in "ab":
        changed(root / name, footage={"analysis_hz": 10.0, "max_width_px": 640})
    assert distil(root, tmp_path / "out", "--teacher", str(teacher)) == 2
    assert "'analysis_hz': 5.0" in capsys.readouterr().err


def test_features_of_unknown_origin_make_no_student(root: Path, tmp_path: Path, capsys):
    root = write(tmp_path / "features", toy(train=8, test=4))
    (root / "b" / "extract.json").unlink()
    alone = ["--predictions", "video-labels", "--alpha", "0"]
    assert distil(root, tmp_path / "out", *alone) == 1
    assert "no extract.json" in capsys.readouterr().err
    (root / "b" / "extract.json").write_text("{}")
    assert distil(root, tmp_path / "out", *alone) == 1
    assert "incomplete" in capsys.readouterr().err


@pytest.mark.parametrize("labels", ["none", "of one class"])
def test_what_cannot_be_judged_is_learnt_all_the_same(labels: str, tmp_path: Path, capsys):
    root = write(tmp_path / "features", toy(train=8, test=4))
    for path in root.glob("*/annotations/test_frame_labels.json"):
        if labels == "none":
            path.unlink()
        else:
            path.write_text(
                json.dumps({n: [0] * len(v) for n, v in json.loads(path.read_text()).items()})
            )
    arguments = ["--features", str(root), "--backbones", "a", "b"]
    assert main(["teacher", *arguments, "--out", str(tmp_path / "one"), *SHORT]) == 0
    said = capsys.readouterr().out
    assert "nan" not in said
    assert ("not judged: no labelled test clips" if labels == "none" else "not defined") in said
    as_json = ["--out", str(tmp_path / "two"), "--format", "json"]
    assert main(["teacher", *arguments, *as_json, *SHORT]) == 0
    assert json.loads(capsys.readouterr().out)["auc"] == {"whole": None, "live": None}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (["--rows", "losses", "colours"], "argument --rows: invalid choice: 'colours'"),
        (["--seed", "-1"], "argument --seed: -1: at least 0"),
    ],
)
def test_what_cannot_be_parsed_is_named(change, why: str, capsys):
    common = ["ablate", "--features", ".", "--backbones", "a", "--student", "a"]
    with pytest.raises(SystemExit) as ended:
        main([*common, *change])
    assert ended.value.code == 2
    assert why in capsys.readouterr().err


def test_what_is_there_is_not_overwritten(root: Path, teacher: Path, capsys):
    assert distil(root, teacher, "--teacher", str(teacher)) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (["--student", "z"], "none of --backbones"),
        (["--tau", "0"], "--tau"),
        (["--attention-heads", "3"], "divide"),
    ],
)
def test_a_wrong_command_line_is_refused(root: Path, change, why: str, capsys):
    common = ["ablate", "--features", str(root), "--backbones", "a", "b", "c", "--student", "b"]
    assert main([*common, *SHORT, *change]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("format_", ["text", "json"])
def test_an_ablation_tells_mean_and_spread(root: Path, format_: str, capsys):
    arguments = ["--features", str(root), "--backbones", "a", "b", "--student", "b"]
    shown = ["--seeds", "2", "--rows", "losses", "--format", format_]
    assert main(["ablate", *arguments, *SHORT, *shown]) == 0
    out = capsys.readouterr().out
    if format_ == "text":
        assert "losses: without L_nce" in out
        assert out.count("±") == 1 + 6 * 2 + 4 * 2
        return
    told = json.loads(out)
    assert told["seeds"] == [0, 1]
    named = {row["row"]: row for row in told["rows"]}
    assert named["baseline"]["teacher"] is None
    assert len(named["complete"]["student"]["live"]["each"]) == 2
