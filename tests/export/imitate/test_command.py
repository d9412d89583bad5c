"""``vad-export imitate`` from the command line to a backbone folder."""

import json

import pytest

from edge.model.backbone import load_backbone
from export.cli import main
from tests.fakes.backbones import tiny_backbone


@pytest.fixture
def imitate(clips, teacher, tmp_path, capsys):
    """Runs the command; gives its exit code, its answer and what it said."""

    def run(*more, taught_by=teacher.folder, footage=clips, out="small"):
        given = ["--teacher", str(taught_by), "--footage", str(footage), "--epochs", "2"]
        given += ["--out", str(tmp_path / out), "--work", str(tmp_path / "work")]
        given += ["--student", "test_efficientnet", "--size-px", "32", "--view", "objects"]
        code = main(["imitate", *given, "--format", "json", *more])
        said = capsys.readouterr()
        return code, json.loads(said.out) if said.out else None, said.err

    return run


def test_a_small_backbone_lives_in_the_teachers_space(imitate, teacher, tmp_path):
    code, answer, said = imitate()
    assert code == 0
    small = load_backbone(tmp_path / "small")
    assert small.spec.name == "test_efficientnet~tiny-6x1"
    assert (small.width, small.spec.size_px) == (teacher.width, (32, 32))
    assert answer["teacher_version"] == teacher.version
    assert answer["version"] == small.version
    assert -1 <= answer["held_out_cosine"] <= 1
    assert "begins with random weights" in said
    manifest = json.loads((tmp_path / "small" / "manifest.json").read_bytes())
    assert manifest["provenance"]["held_out_cosine"] == answer["held_out_cosine"]
    assert manifest["provenance"]["pretrained"] == "random weights"
    assert "teacher: Apache-2.0 (tests)" in manifest["licences"]
    lessons = sorted(path.stem for path in (tmp_path / "work" / "lessons").iterdir())
    assert lessons == ["n0", "n1", "n2"]  # nothing of the test split


def test_equal_runs_make_equal_backbones(imitate, tmp_path):
    first, second = imitate(out="a")[1], imitate(out="b")[1]
    assert first["version"] == second["version"]
    assert (tmp_path / "a" / "backbone.onnx").read_bytes() == (
        tmp_path / "b" / "backbone.onnx"
    ).read_bytes()


def test_smaller_numbers_need_no_new_training_and_are_measured_as_they_are(imitate, tmp_path):
    cosines = {"fp32": imitate()[1]["held_out_cosine"]}
    trained = (tmp_path / "work" / "training.safetensors").stat().st_mtime_ns
    for precision in ("fp16", "int8"):
        code, answer, said = imitate("--precision", precision, out=precision)
        assert code == 0, said
        assert load_backbone(tmp_path / precision).spec.precision == precision
        cosines[precision] = answer["held_out_cosine"]
    assert (tmp_path / "work" / "training.safetensors").stat().st_mtime_ns == trained
    assert cosines["fp16"] == pytest.approx(cosines["fp32"], abs=1e-3)
    assert cosines["int8"] == pytest.approx(cosines["fp32"], abs=0.05)
    assert len(set(cosines.values())) == 3


def test_a_folder_that_exists_is_not_overwritten(imitate, tmp_path):
    (tmp_path / "small").mkdir()
    code, _, said = imitate()
    assert code == 2
    assert "is there already" in said


def test_a_network_of_clips_cannot_be_imitated(imitate, tmp_path):
    tiny_backbone(tmp_path / "clips", frames=16)
    code, _, said = imitate(taught_by=tmp_path / "clips")
    assert code == 2
    assert "a network of clips" in said
