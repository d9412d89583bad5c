import json

import numpy as np
import onnx
import pytest

from edge.errors import ModelError
from edge.features.embedding import Look, embedding_spec
from edge.model import signature
from edge.model.artifact import Sampling, load_artifact
from edge.model.folder import sha256
from edge.model.spec import StudentSpec
from edge.model.student import predict, weights_of
from edge.scoring.student import StudentTerm
from edge.wire.keys import public_pem, secret_pem, write_once
from export.commands import onnx as onnx_command
from export.dakd.folder import Training, save_training
from export.dakd.network import NetworkSpec, make_network
from export.proof.golden import drawn_segments, real_segments
from tests.export.students import (
    DESCRIPTORS,
    FPS,
    WIDTH,
    command,
    features_folder,
    origin,
    training_folder,
    usual_eyes,
)
from tests.fakes.backbones import tiny_backbone

cryptography = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
SPEC = StudentSpec("dakd", WIDTH, window=4, hidden=16, attention_heads=2)


@pytest.fixture
def backbone(tmp_path):
    return tiny_backbone(tmp_path / "eyes", width=WIDTH)


@pytest.mark.parametrize("view", ["picture", "objects"])
def test_a_host_takes_what_is_exported_and_it_scores_as_trained(tmp_path, capsys, backbone, view):
    width = WIDTH * (2 if view == "objects" else 1)
    training = training_folder(tmp_path / "training", inputs=width, view=view)
    clips = features_folder(tmp_path / "seen" / "eyes", backbone, view=view)
    said = command(
        capsys,
        *("onnx", training, "--out", tmp_path / "student"),
        *("--backbone", backbone.folder, "--features", tmp_path / "seen"),
    )
    student = StudentTerm.of(load_artifact(tmp_path / "student"))
    assert student.eyes.look.view == view
    assert said["max_abs_error"] <= 1e-4
    assert said["version"] == student.version
    weights = load_artifact(tmp_path / "student").weights
    for clip in clips.values():
        newest = [
            predict(student.spec, weights, clip[None, max(0, end - 4) : end])[0, -1]
            for end in range(1, len(clip) + 1)
        ]
        np.testing.assert_allclose(student.scores(clip), newest, atol=1e-5)


def test_a_student_of_descriptors_needs_no_backbone(tmp_path, capsys):
    training = training_folder(tmp_path / "training", inputs=DESCRIPTORS, name="descriptors")
    command(capsys, "onnx", training, "--out", tmp_path / "student")
    student = StudentTerm.of(load_artifact(tmp_path / "student"))
    assert student.eyes is None
    assert student.reads_scene


def test_licences_and_origin_travel_along(tmp_path, capsys, backbone):
    training = training_folder(tmp_path / "training")
    said = command(
        capsys, "onnx", training, "--out", tmp_path / "student", "--backbone", backbone.folder
    )
    artifact = load_artifact(tmp_path / "student")
    assert said["licences"] == list(artifact.licences) == ["Apache-2.0 (tests)"]
    assert artifact.provenance == {
        "training": "training",
        "backbones": "eyes",
        "seed": 1,
        "teacher": "large",
        "distil tau": 10.0,
        "backbone seed": 0,
        "backbone weights_sha256": "0",
    }


def test_golden_segments_are_real_ones_from_all_over_the_clips(tmp_path, backbone):
    clips = features_folder(tmp_path, backbone, lengths=(9, 3, 12, 6))
    golden = real_segments(tmp_path, SPEC)
    assert golden.shape == (4, 4, WIDTH)
    long_enough = [clip for clip in clips.values() if len(clip) >= 4]
    found = {
        (number, start)
        for sequence in golden
        for number, clip in enumerate(long_enough)
        for start in range(len(clip) - 3)
        if np.array_equal(clip[start : start + 4], sequence)
    }
    assert len(found) == 4
    assert {number for number, _ in found} == {0, 1, 2}


def test_clips_that_are_all_shorter_than_the_window_still_give_golden_segments(tmp_path, backbone):
    features_folder(tmp_path, backbone, lengths=(2, 3))
    assert real_segments(tmp_path, SPEC).shape == (4, 3, WIDTH)


def test_drawn_segments_are_of_the_size_that_the_student_expects():
    mean, scale = np.full(WIDTH, 50, np.float32), np.full(WIDTH, 3, np.float32)
    names = {"network.projections.0.input_mean": mean, "network.projections.0.input_scale": scale}
    drawn = drawn_segments(SPEC, names, count=200)
    np.testing.assert_allclose(drawn.mean(axis=(0, 1)), mean, atol=1)
    np.testing.assert_allclose(drawn.std(axis=(0, 1)), scale, atol=0.5)


@pytest.mark.parametrize("view", ["picture", "objects"])
def test_another_backbone_than_it_learnt_to_look_through_is_refused(tmp_path, capsys, view):
    """Its features were never seen here; what it learnt, it says itself."""
    width = WIDTH * (2 if view == "objects" else 1)
    training = training_folder(tmp_path / "training", inputs=width, view=view)
    other = tiny_backbone(tmp_path / "eyes", width=WIDTH, seed=9)
    arguments = ["onnx", training, "--out", tmp_path / "student", "--backbone", other.folder]
    refused = command(capsys, *arguments, code=2)
    assert f"learnt scene-embedding {view} x4 by" in refused
    assert "name the very eyes" in refused
    assert not (tmp_path / "student").exists()


def test_the_same_network_in_another_precision_is_taken(tmp_path, capsys):
    """Its golden check holds it to its own precision; verify says what that costs."""
    training = training_folder(tmp_path / "training")
    smaller = tiny_backbone(tmp_path / "eyes", width=WIDTH, precision="fp16")
    assert smaller.version != usual_eyes().version
    figures = command(
        capsys, "onnx", training, "--out", tmp_path / "student", "--backbone", smaller.folder
    )
    look = Look("picture")
    assert figures["spec_versions"] == [embedding_spec(smaller, look).spec_version]
    assert StudentTerm.of(load_artifact(tmp_path / "student")).eyes.backbone.spec == smaller.spec


def test_the_same_weights_fed_in_another_way_are_another_network(tmp_path, capsys):
    training = training_folder(tmp_path / "training")
    other = tiny_backbone(tmp_path / "eyes", width=WIDTH, resize="crop", precision="fp16")
    arguments = ["onnx", training, "--out", tmp_path / "student", "--backbone", other.folder]
    assert "name the very eyes" in command(capsys, *arguments, code=2)


def test_a_student_says_which_backbone_it_wants(tmp_path, capsys, backbone):
    training = training_folder(tmp_path / "training")
    refused = command(capsys, "onnx", training, "--out", tmp_path / "student", code=2)
    assert "name --backbone FOLDER: the student looks through eyes" in refused
    training = training_folder(tmp_path / "blind", inputs=DESCRIPTORS, name="descriptors")
    eyes = ["--backbone", backbone.folder]
    refused = command(capsys, "onnx", training, "--out", tmp_path / "student", *eyes, code=2)
    assert "reads descriptors; leave it out" in refused


def test_how_its_footage_was_sampled_travels_along(tmp_path, capsys):
    training = training_folder(tmp_path / "training", inputs=DESCRIPTORS)
    command(capsys, "onnx", training, "--out", tmp_path / "student")
    artifact = load_artifact(tmp_path / "student")
    assert artifact.sampling == StudentTerm.of(artifact).sampling == Sampling(FPS, 640)


def test_golden_segments_of_another_view_or_backbone_are_refused(tmp_path, capsys, backbone):
    training = training_folder(tmp_path / "training")
    features_folder(tmp_path / "eyes-seen", backbone, view="objects")
    other = tiny_backbone(tmp_path / "other", width=WIDTH, seed=9)
    features_folder(tmp_path / "other-seen", other)
    for seen in ("eyes-seen", "other-seen"):
        refused = command(
            capsys,
            *("onnx", training, "--out", tmp_path / "student"),
            *("--backbone", backbone.folder, "--features", tmp_path / seen),
            code=2,
        )
        assert "holds others than the student learnt: spec_versions" in refused
    assert not (tmp_path / "student").exists()


def test_a_student_of_another_width_is_refused(tmp_path, capsys, backbone):
    training = training_folder(tmp_path / "training", inputs=WIDTH + 1)
    refused = command(
        capsys,
        *("onnx", training, "--out", tmp_path / "student", "--backbone", backbone.folder),
        code=2,
    )
    assert f"reads {WIDTH + 1} features" in refused
    assert not (tmp_path / "student").exists()


def test_a_teacher_is_no_student(tmp_path, capsys):
    spec = NetworkSpec((8, 6), hidden=16, attention_heads=2)
    weights = weights_of(make_network(spec, seed=0))
    both = (origin(), origin(usual_eyes()))
    save_training(tmp_path / "teacher", Training(spec, ("a", "b"), both, weights, {}, {}))
    refused = command(capsys, "onnx", tmp_path / "teacher", "--out", tmp_path / "x", code=2)
    assert "holds a teacher" in refused


def test_what_does_not_score_the_same_is_not_written(tmp_path, capsys, backbone, monkeypatch):
    """Torch is made to disagree by a little in one of the shapes."""
    honest = onnx_command.trial_of

    def dishonest(artifact):
        trial = honest(artifact)
        trial.scores[-1][0, -1] += 2e-4
        return trial

    monkeypatch.setattr(onnx_command, "trial_of", dishonest)
    training = training_folder(tmp_path / "training")
    refused = command(
        capsys,
        *("onnx", training, "--out", tmp_path / "student", "--backbone", backbone.folder),
        code=2,
    )
    assert "differ from torch's by 0.0002" in refused
    assert not (tmp_path / "student").exists()


def test_a_signed_export_is_believed(tmp_path, capsys, backbone):
    key = cryptography.Ed25519PrivateKey.generate()
    write_once(tmp_path / "secret.pem", secret_pem(key), 0o600)
    write_once(tmp_path / "public.pem", public_pem(key.public_key()), 0o644)
    training = training_folder(tmp_path / "training")
    command(
        capsys,
        *("onnx", training, "--out", tmp_path / "student", "--backbone", backbone.folder),
        *("--key", tmp_path / "secret.pem"),
    )
    signature.check_signature(tmp_path / "student", tmp_path / "public.pem")
    manifest = tmp_path / "student" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    with pytest.raises(ModelError, match="not by the holder"):
        signature.check_signature(tmp_path / "student", tmp_path / "public.pem")


def vouched(folder, name, content):
    """Replace a file and have the manifest vouch for it."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"][name] = sha256(content)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def other_opset(graph):
    model = onnx.load_from_string(graph)
    model.opset_import[0].version = 99
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda graph: graph[: len(graph) // 2], "not a complete ONNX network"),
        (lambda graph: b"", "not a complete ONNX network"),
        (lambda graph: b"\x89PNG" + graph, "not a complete ONNX network"),
        (other_opset, "opset"),
    ],
    ids=["truncated", "empty", "mislabelled", "opset"],
)
def test_a_backbone_that_is_none_is_refused(tmp_path, capsys, backbone, spoil, says):
    training = training_folder(tmp_path / "training")
    graph = (backbone.folder / "backbone.onnx").read_bytes()
    vouched(backbone.folder, "backbone.onnx", spoil(graph))
    refused = command(
        capsys,
        *("onnx", training, "--out", tmp_path / "student", "--backbone", backbone.folder),
        code=2,
    )
    assert says in refused
    assert not (tmp_path / "student").exists()


@pytest.mark.parametrize("name", ["manifest.json", "training.json", "weights.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_damaged_training_is_refused(tmp_path, capsys, name, damage):
    path = training_folder(tmp_path / "training") / name
    path.write_bytes(path.read_bytes()[:-7])
    if damage == "missing":
        path.unlink()
    refused = command(capsys, "onnx", tmp_path / "training", "--out", tmp_path / "x", code=2)
    assert "training" in refused
    assert not (tmp_path / "x").exists()


def test_features_of_unknown_origin_give_no_golden_segments(tmp_path, capsys):
    training = training_folder(tmp_path / "training", inputs=DESCRIPTORS)
    seen = ["--out", tmp_path / "x", "--features", tmp_path]
    assert "no extract.json" in command(capsys, "onnx", training, *seen, code=1)


def test_a_key_that_is_not_there_is_refused(tmp_path, capsys):
    training = training_folder(tmp_path / "training", inputs=DESCRIPTORS)
    key = ["--out", tmp_path / "x", "--key", tmp_path / "nobody.pem"]
    assert "nobody.pem" in command(capsys, "onnx", training, *key, code=2)


def test_nothing_is_overwritten(tmp_path, capsys):
    training = training_folder(tmp_path / "training", inputs=DESCRIPTORS)
    assert "is there already" in command(capsys, "onnx", training, "--out", training, code=2)
