import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ModelError, StorageError
from edge.model.spec import StudentSpec
from tests.export.dakd.toy import origin

torch = pytest.importorskip("torch")
folder_room = pytest.importorskip("export.dakd.folder")
network_room = pytest.importorskip("export.dakd.network")
export_room = pytest.importorskip("edge.model.export")
student_room = pytest.importorskip("edge.model.student")
Training, load_training = folder_room.Training, folder_room.load_training
save_training, NetworkSpec = folder_room.save_training, network_room.NetworkSpec

TEACHER = NetworkSpec((5, 7), hidden=16, attention_heads=2, reach=3)
STUDENT = StudentSpec("dakd", 5, window=4, hidden=16, attention_heads=2, reach=3, causal=True)


def teacher():
    weights = student_room.weights_of(network_room.make_network(TEACHER, seed=1))
    origins = (origin("a"), origin("b"))
    return Training(TEACHER, ("a", "b"), origins, weights, {"epochs": 3}, {"seed": 1})


def student():
    network = network_room.make_network(network_room.as_network(STUDENT), seed=2)
    weights = network_room.student_weights(network)
    options = {"alpha": 7.5, "min_max": True}
    return Training(STUDENT, ("a",), (origin("a"),), weights, options, {"seed": 2})


both = pytest.mark.parametrize("training", [teacher(), student()], ids=["teacher", "student"])


@both
def test_what_was_stored_is_loaded(training, tmp_path: Path):
    save_training(tmp_path / "out", training)
    loaded = load_training(tmp_path / "out")
    assert (loaded.spec, loaded.backbones, loaded.widths) == (
        training.spec,
        training.backbones,
        training.widths,
    )
    assert loaded.origins == training.origins
    assert (loaded.options, loaded.provenance) == (training.options, training.provenance)
    assert all(np.array_equal(loaded.weights[n], a) for n, a in training.weights.items())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "manifest.json",
        "training.json",
        "weights.safetensors",
    }


def test_a_stored_student_is_one_that_a_host_can_run(tmp_path: Path):
    save_training(tmp_path / "out", student())
    loaded = load_training(tmp_path / "out")
    x = np.random.default_rng(0).standard_normal((2, 9, 5)).astype(np.float32)
    artifact = export_room.make_artifact(
        loaded.spec, loaded.weights, spec_versions=["a-1"], golden_x=x, provenance={}
    )
    logits, _ = network_room.network_of(loaded.spec, loaded.weights)([torch.from_numpy(x)])
    expected = torch.sigmoid(logits).detach().numpy()
    np.testing.assert_allclose(artifact.checked().scores(x), expected, atol=1e-4)


@both
def test_weights_of_another_network_are_neither_stored_nor_loaded(training, tmp_path: Path):
    name = sorted(training.weights)[0]
    lacking = {n: a for n, a in training.weights.items() if n != name}
    with pytest.raises(ModelError, match="lacks"):
        save_training(tmp_path / "out", replace(training, weights=lacking))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path):
    save_training(tmp_path / "out", teacher())
    with pytest.raises(StorageError, match="out"):
        save_training(tmp_path / "out", student())
    assert load_training(tmp_path / "out").spec == TEACHER


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "pupil"},
        {"kind": "student"},
        {"spec": {}},
        {"spec": TEACHER.as_json() | {"components": ["self", "none"]}},
        {"spec": TEACHER.as_json() | {"widths": [5, 8]}},
        {"spec": TEACHER.as_json() | {"reach": 4}},
        {"spec": TEACHER.as_json() | {"temporal": "mixer"}},
        {"spec": TEACHER.as_json() | {"hidden": "16"}},
        {"spec": TEACHER.as_json() | {"attention_heads": 3}},
        {"spec": TEACHER.as_json() | {"more": 1}},
        {"origins": [origin("a").as_json()]},
        {"origins": [{}, {}]},
        {"origins": [origin("a").as_json() | {"footage": {"analysis_hz": -1, "max_width_px": 1}}]},
        {"backbones": ["a"]},
        {"backbones": 3},
        {"widths": [5]},
        {"options": 3},
    ],
)
def test_a_description_that_does_not_fit_is_refused(change, tmp_path: Path):
    folder = tmp_path / "out"
    save_training(folder, teacher())
    described = json.loads((folder / "training.json").read_bytes()) | change
    payload = json.dumps(described).encode()
    (folder / "training.json").write_bytes(payload)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"]["training.json"] = folder_room.sha256(payload)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError):
        load_training(folder)


@pytest.mark.parametrize("name", ["manifest.json", "training.json", "weights.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut"])
def test_a_damaged_file_is_refused(name: str, damage: str, tmp_path: Path):
    save_training(tmp_path / "out", student())
    path = tmp_path / "out" / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    with pytest.raises(ModelError):
        load_training(tmp_path / "out")


def test_one_backbone_has_nothing_to_look_across_to():
    with pytest.raises(ModelError, match="needs a second backbone"):
        NetworkSpec((5,), components=("cross",))
    network_room.make_network(replace(TEACHER, components=("cross",)), seed=0)
    without = NetworkSpec((5,), hidden=16, temporal="none", components=("cross",))
    network_room.make_network(without, seed=0)


def test_students_of_other_heads_are_refused():
    clap = StudentSpec("clap", 5, hidden=16)
    weights = student_room.weights_of(student_room.make_student(clap, seed=0))
    with pytest.raises(ModelError, match="head clap"):
        network_room.network_of(clap, weights)
