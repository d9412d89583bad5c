import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from edge.errors import ConfigError
from edge.evaluation.clips import read_clips
from edge.model import signature
from edge.model.artifact import load_artifact
from edge.model.engine_cache import Device
from edge.model.folder import sha256
from edge.model.runtime import CPU, CUDA, open_session
from edge.scoring.student import StudentTerm
from edge.wire.keys import public_pem, secret_pem, write_once
from export.cli import main
from export.extract.describers import Embeddings
from export.extract.watch import Viewing, Watch
from export.proof import folder as proof
from export.proof.comparison import compare
from export.proof.footage import WITHHELD, Onlooker, score_clip
from export.proof.parity import rank_correlation, trial_of
from tests.export.students import (
    DESCRIPTORS,
    FPS,
    WIDTH,
    command,
    features_folder,
    training_folder,
    video,
)
from tests.fakes.backbones import tiny_backbone

cryptography = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
scipy_stats = pytest.importorskip("scipy.stats")
TENSORRT = "TensorrtExecutionProvider"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return export(tmp_path_factory.mktemp("original"))


@pytest.fixture
def exported(tmp_path, original):
    """A folder to be spoilt."""
    return shutil.copytree(original, tmp_path / "student")


def export(tmp_path, name="student", *, view="picture", **training):
    backbone = tiny_backbone(tmp_path / f"{name}-eyes", width=WIDTH)
    inputs = WIDTH * (2 if view == "objects" else 1)
    folder = tmp_path / f"{name}-training"
    training = training_folder(folder, inputs=inputs, view=view, **training)
    eyes = ["--backbone", str(backbone.folder)]
    assert main(["onnx", str(training), "--out", str(tmp_path / name), *eyes]) == 0
    return tmp_path / name


@pytest.fixture
def keys(tmp_path):
    key = cryptography.Ed25519PrivateKey.generate()
    write_once(tmp_path / "secret.pem", secret_pem(key), 0o600)
    write_once(tmp_path / "public.pem", public_pem(key.public_key()), 0o644)
    return tmp_path / "secret.pem", tmp_path / "public.pem"


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_bytes())


def vouch(folder, name, content):
    """Replace a file and have the manifest vouch for it."""
    (folder / name).write_bytes(content)
    manifest = manifest_of(folder)
    manifest["files"][name] = sha256(content)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_what_was_verified_and_what_was_not_stands_in_the_manifest(exported, capsys):
    before = load_artifact(exported).version
    said = command(capsys, "verify", exported)
    figures = said["providers"][CPU]
    assert said["ok"]
    assert figures["max_abs_error"] <= 1e-4
    assert figures["rank_correlation"] == pytest.approx(1)
    assert figures["least_cosine"] >= 0.9999
    assert figures["segments"] > 16  # more than the golden ones
    assert manifest_of(exported)["providers"] == said["providers"]
    assert manifest_of(exported)["unverified"] == said["unverified"]
    assert {CUDA, TENSORRT} <= {*said["providers"], *said["unverified"]}
    assert load_artifact(exported).version == before


def test_every_length_and_batch_is_tried(exported):
    shapes = {x.shape[:2] for x in trial_of(load_artifact(exported)).x}
    window = 4
    assert {length for _, length in shapes} >= {1, 2, window - 1, window, 2 * window + 1}
    assert len({batch for batch, _ in shapes}) > 3


def test_a_second_look_changes_nothing(exported, keys, capsys):
    secret, public = keys
    command(capsys, "verify", exported, "--key", secret)
    signed = (exported / "manifest.json").read_bytes()
    command(capsys, "verify", exported)
    assert (exported / "manifest.json").read_bytes() == signed
    signature.check_signature(exported, public)


def test_a_signature_of_the_older_manifest_goes_and_that_is_said(exported, keys, capsys):
    secret, _ = keys
    signature.sign_folder(exported, signature.signer(secret))
    assert not command(capsys, "verify", exported)["signed"]
    assert not (exported / "manifest.sig").exists()
    signature.sign_folder(exported, signature.signer(secret))
    manifest = manifest_of(exported)
    del manifest["unverified"]
    (exported / "manifest.json").write_text(json.dumps(manifest))
    assert main(["verify", str(exported)]) == 0
    assert "is gone: sign with --key" in capsys.readouterr().err


def test_a_folder_that_was_verified_is_signed_anew(exported, keys, capsys):
    secret, public = keys
    signature.sign_folder(exported, signature.signer(secret))
    assert command(capsys, "verify", exported, "--key", secret)["signed"]
    signature.check_signature(exported, public)


def other_weights(folder):
    name = "weights.safetensors"
    weights = load((folder / name).read_bytes())
    weights["network.fc3.bias"] = weights["network.fc3.bias"] + np.float32(1)
    vouch(folder, name, save({key: weights[key] for key in sorted(weights)}))


def other_length(folder):
    """The length of the golden segments baked in, as careless exporters do."""
    graph = onnx.load_from_string((folder / "student.onnx").read_bytes())
    graph.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    vouch(folder, "student.onnx", graph.SerializeToString())


def no_onnx(folder):
    vouch(folder, "student.onnx", (folder / "student.onnx").read_bytes()[:-100])


def other_opset(folder):
    graph = onnx.load_from_string((folder / "student.onnx").read_bytes())
    graph.opset_import[0].version = 99
    vouch(folder, "student.onnx", graph.SerializeToString())


@pytest.mark.parametrize("spoil", [other_weights, other_length, no_onnx, other_opset])
def test_what_does_not_score_the_same_fails_and_is_not_blessed(exported, capsys, spoil):
    spoil(exported)
    before = (exported / "manifest.json").read_bytes()
    said = command(capsys, "verify", exported, code=4)
    assert "does not score the same" in said
    assert (exported / "manifest.json").read_bytes() == before


def test_a_provider_that_is_off_by_too_much_fails_the_whole(exported):
    trial = trial_of(load_artifact(exported))
    session = load_artifact(exported).session()
    honest = trial.parity(session.scores)
    assert honest.ok
    assert not trial.parity(lambda x: session.scores(x) + np.float32(2e-4)).ok
    lost = trial.parity(lambda x: session.scores(x) * np.float32(np.nan))
    assert not lost.ok
    assert proof.Verdict(lost, None, 0.0).as_json()["max_abs_error"] is None


def test_a_flipped_byte_is_a_damaged_folder(exported, capsys):
    path = exported / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "weights.safetensors is not the file" in command(capsys, "verify", exported, code=2)


def test_a_folder_that_is_not_there_is_refused(tmp_path, capsys):
    assert "no manifest.json" in command(capsys, "verify", tmp_path / "nothing", code=2)


def test_a_gpu_whose_libraries_are_here_but_does_not_start_is_unverified(exported, monkeypatch):
    monkeypatch.setattr(proof, "lacking", lambda provider: None)
    monkeypatch.setattr(proof, "find_device", lambda: Device("L4", "570", "101300"))
    real = proof.open_session
    monkeypatch.setattr(proof, "open_session", lambda path, only: real(path, only=CPU))
    found = proof.examine(exported)
    assert set(found.providers) == {CPU}
    assert "did not start" in found.unverified[CUDA]
    assert "no engine for L4" in found.unverified[TENSORRT]


def test_a_gpu_that_computes_something_else_fails_the_whole(exported, monkeypatch, capsys):
    class Off:
        """Claims to be a GPU, and is off by a little."""

        def __init__(self, path):
            self._real = open_session(path, only=CPU)

        def get_providers(self):
            return [CUDA, CPU]

        def run(self, names, feed):
            return [output + np.float32(0.01) for output in self._real.run(names, feed)]

    monkeypatch.setattr(proof, "lacking", {CPU: None, CUDA: None, TENSORRT: "no GPU"}.get)
    opened = {CPU: lambda path: open_session(path, only=CPU), CUDA: Off}
    monkeypatch.setattr(proof, "open_session", lambda path, only: opened[only](path))
    before = (exported / "manifest.json").read_bytes()
    assert "on CUDA" in command(capsys, "verify", exported, code=4)
    assert (exported / "manifest.json").read_bytes() == before


def test_an_engine_in_16_bit_floats_is_held_to_what_these_promise(exported, monkeypatch):
    backbone = load_artifact(exported).eyes.backbone
    engine = {"trt_fp16_enable": "0"}
    monkeypatch.setattr(proof, "find_engine", lambda graph, device: engine)
    assert proof._least_cosine(backbone, TENSORRT) == proof._least_cosine(backbone, CPU) == 0.9999
    engine["trt_fp16_enable"] = "1"
    assert proof._least_cosine(backbone, TENSORRT) == 0.999
    assert proof._least_cosine(backbone, CUDA) == 0.9999


@pytest.mark.parametrize("view", ["picture", "objects"])
def test_footage_is_scored_as_the_extracted_features_would_be(tmp_path, capsys, view):
    folder = export(tmp_path, view=view, loud=30.0)
    clip = video(tmp_path / "clip.mkv", frames=WITHHELD + 80)
    student = StudentTerm.of(load_artifact(folder))
    measure = Embeddings(student.eyes.backbone, view).begin()
    watch = Watch(clip, Viewing(FPS), detector=None, withheld=WITHHELD)
    rows = [measure(seen) for seen in watch]
    expected = student.scores(np.stack([row for row in rows if row is not None]))
    said = command(capsys, "verify", folder, "--footage", clip)["footage"]
    assert [one["clip"] for one in said] == ["clip.mkv"] * 5
    assert [one["time_s"] for one in said] == pytest.approx([1.7 + 1.6 * k for k in range(5)])
    np.testing.assert_allclose([one["score"] for one in said], expected, atol=1e-6)
    assert np.ptp(expected) > 1e-3


def test_footage_is_sampled_as_the_student_learnt_unless_somebody_says_otherwise(exported, capsys):
    clip = video(exported / "clip.mkv")
    found = command(capsys, "verify", exported, "--footage", clip, "--analysis-hz", 5)["footage"]
    assert [one["time_s"] for one in found] == pytest.approx([3.4, 6.6])
    manifest = manifest_of(exported)
    assert manifest["sampling"] == {"analysis_hz": FPS, "max_width_px": 640}
    del manifest["sampling"]
    (exported / "manifest.json").write_text(json.dumps(manifest))
    assert command(capsys, "verify", exported, "--footage", clip)["footage"] == found


def test_labels_without_a_detector_are_refused_before_anything_is_written(exported, capsys):
    before = (exported / "manifest.json").read_bytes()
    assert "--labels goes with" in command(capsys, "verify", exported, "--labels", "x", code=2)
    assert (exported / "manifest.json").read_bytes() == before


def test_a_student_of_descriptors_scores_footage_too(tmp_path, capsys):
    training_folder(tmp_path / "training", inputs=DESCRIPTORS)
    command(capsys, "onnx", tmp_path / "training", "--out", tmp_path / "student")
    student = StudentTerm.of(load_artifact(tmp_path / "student"))
    clip = video(tmp_path / "clip.mkv", frames=WITHHELD + 80)
    scores = [one.score for one in score_clip(clip, student, Viewing(FPS), None)]
    assert len(scores) == 5
    assert np.isfinite(scores).all()


def test_a_student_that_reads_what_a_camera_standardises_has_no_score_of_its_own(exported):
    student = StudentTerm.of(load_artifact(exported))
    clap = replace(student, spec=replace(student.spec, head="temporal"))
    with pytest.raises(ConfigError, match="temporal"):
        Onlooker(clap)


@pytest.fixture
def clips(tmp_path):
    for split, name in (("train", "0"), ("test", "a"), ("test", "b")):
        video(tmp_path / "clips" / "video" / split / f"{name}.mkv", seed=ord(name))
    told = {"a": [0] * 30 + [1] * 40 + [0] * 10, "b": [0] * 80}
    path = tmp_path / "clips" / "annotations" / "test_frame_labels.json"
    path.parent.mkdir()
    path.write_text(json.dumps(told))
    return tmp_path / "clips"


def test_an_export_loses_nothing_against_itself(exported, clips, capsys):
    said = command(capsys, "verify", exported, "--against", exported, "--videos", clips)["against"]
    assert said["rank_correlation"] == pytest.approx(1)
    assert said["auc_loss_points"] == 0
    assert said["segments"] == 10
    assert said["speed_up"] > 0


def test_another_student_is_told_apart_and_clips_that_do_not_fit_are_named(
    tmp_path, exported, clips, capsys
):
    path = clips / "annotations" / "test_frame_labels.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "b": told["b"][:-1]}))
    other = export(tmp_path, "other", seed=7, loud=30.0)
    said = command(capsys, "verify", exported, "--against", other, "--videos", clips)["against"]
    assert said["rank_correlation"] < 0.999
    assert said["segments"] == 5
    assert "80 frames, but 79 labels" in said["left_out"][0]


def test_frames_have_the_newest_score(tmp_path, exported, clips, monkeypatch):
    """The score of a segment is not known before its last frame."""
    student = StudentTerm.of(load_artifact(exported))
    seen = []
    monkeypatch.setattr("export.proof.comparison.micro_auc", lambda found: seen.append(found) or 1)
    compare(student, student, read_clips(clips).test, viewing=Viewing(FPS), detector=None)
    scores = seen[0][0].scores
    assert (scores[:15] == 0).all()
    assert (scores[15:31] == scores[15]).all()
    assert scores[15] != 0 != scores[31]


@pytest.mark.parametrize("arguments", [["--against", "."], ["--videos", "."]])
def test_half_a_comparison_is_refused(exported, capsys, arguments):
    assert "go together" in command(capsys, "verify", exported, *arguments, code=2)


series = st.lists(st.integers(-1000, 1000), min_size=2, max_size=30).map(
    lambda values: np.array(values, np.float32)
)


@given(series, st.randoms(use_true_random=False))
def test_rank_correlation_is_spearmans(first, random):
    second = np.array(random.sample(range(1000), len(first)), np.float32)
    found = rank_correlation(first, second)
    if len(set(first.tolist())) > 1:
        assert found == pytest.approx(scipy_stats.spearmanr(first, second).statistic)
    else:
        assert found == 0


@given(series)
def test_rank_correlation_sees_order_alone(values):
    assert rank_correlation(values, 3 * values + 5) == pytest.approx(1)
    if len(set(values.tolist())) > 1:
        assert rank_correlation(values, -values) == pytest.approx(-1)
    assert rank_correlation(values, values + np.float32(1e-6)) == pytest.approx(1)


def test_what_extraction_wrote_and_what_is_verified_is_one_feature_version(tmp_path, exported):
    eyes = load_artifact(exported).eyes
    features_folder(tmp_path / "seen", eyes.backbone)
    record = json.loads((tmp_path / "seen" / "extract.json").read_text())
    assert record["spec_versions"] == list(load_artifact(exported).spec_versions)
