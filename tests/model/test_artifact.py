import hashlib
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from edge.errors import ModelError, StorageError, VadError
from edge.model.artifact import (
    FILES,
    GOLDEN,
    GRAPH,
    WEIGHTS,
    Artifact,
    Golden,
    Sampling,
    load_artifact,
    parity_error,
    save_artifact,
)
from edge.model.folder import MANIFEST
from edge.model.session import StudentSession
from edge.model.spec import StudentSpec
from tests.model.specs import HEADS, SPECS, segments

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
student_room = pytest.importorskip("edge.model.student")
export_room = pytest.importorskip("edge.model.export")

VERSIONS = ["kinematics-1-abc"]
PARITY = 1e-5


def new_weights(spec: StudentSpec, seed: int) -> dict[str, np.ndarray]:
    return student_room.weights_of(student_room.make_student(spec, seed=seed))


def make(spec: StudentSpec, seed: int = 1) -> Artifact:
    return export_room.make_artifact(
        spec,
        new_weights(spec, seed),
        spec_versions=VERSIONS,
        golden_x=segments(2, 6),
        provenance={"round": 3, "camera": "gate"},
    )


@pytest.fixture(scope="module", params=SPECS, ids=HEADS)
def artifact(request: pytest.FixtureRequest) -> Artifact:
    return make(request.param)


@pytest.fixture(scope="module")
def clap() -> Artifact:
    return make(SPECS[0])


@pytest.fixture
def stored(clap: Artifact, tmp_path: Path) -> Path:
    save_artifact(tmp_path / "model", clap)
    return tmp_path / "model"


@pytest.mark.parametrize("sampling", [None, Sampling(5.0, 640)])
def test_how_footage_was_sampled_is_kept_where_it_is_known(
    clap: Artifact, tmp_path: Path, sampling
):
    save_artifact(tmp_path / "model", replace(clap, sampling=sampling))
    assert load_artifact(tmp_path / "model").sampling == sampling
    assert load_artifact(tmp_path / "model").version == clap.version


@pytest.mark.parametrize(
    "sampling",
    [3, {}, {"analysis_hz": 0, "max_width_px": 640}, {"analysis_hz": 5, "max_width_px": "x"}],
)
def test_a_sampling_that_is_none_is_refused(stored: Path, sampling):
    path = stored / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"sampling": sampling}))
    with pytest.raises(ModelError):
        load_artifact(stored)


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 9), (4, 3)])
def test_the_graph_computes_what_torch_computes_for_any_batch_and_length(
    artifact: Artifact, batch: int, length: int
):
    x = segments(batch, length, seed=length)
    expected = student_room.predict(artifact.spec, artifact.weights, x)
    scores, penultimate = artifact.session().run(x)
    np.testing.assert_allclose(scores, expected, atol=PARITY)
    assert penultimate.shape == (batch, length, 32)


def test_initialisers_have_the_state_dict_names_and_no_values(artifact: Artifact):
    graph = onnx.load_from_string(artifact.graph).graph
    assert {entry.name for entry in graph.initializer} == set(artifact.weights)
    assert not any(entry.raw_data for entry in graph.initializer)
    names = [d.dim_param for d in graph.input[0].type.tensor_type.shape.dim]
    assert names[:2] == ["B", "L"]


def test_one_graph_serves_all_weights(artifact: Artifact):
    """New values are in the graph before it is optimised, so nothing of the old ones is left."""
    assert export_room.export_student(artifact.spec) == artifact.graph
    x = segments(2, 5)
    for seed in (7, 8):
        weights = new_weights(artifact.spec, seed)
        expected = student_room.predict(artifact.spec, weights, x)
        got = artifact.session(weights).scores(x)
        np.testing.assert_allclose(got, expected, atol=PARITY)
        assert np.abs(got - artifact.session().scores(x)).max() > 100 * PARITY


def test_a_session_outlives_the_arrays_it_was_given(clap: Artifact):
    weights = new_weights(clap.spec, 7)
    session = clap.session(weights)
    before = session.scores(clap.golden.x)
    for array in weights.values():
        array[...] = 0
    np.testing.assert_array_equal(session.scores(clap.golden.x), before)


def test_a_stored_artifact_is_the_same(artifact: Artifact, tmp_path: Path):
    folder = tmp_path / "models" / "1"
    save_artifact(folder, artifact)
    loaded = load_artifact(folder)
    assert (loaded.spec, loaded.version) == (artifact.spec, artifact.version)
    assert loaded.provenance == {"round": 3, "camera": "gate"}
    np.testing.assert_array_equal(
        loaded.session().scores(artifact.golden.x), artifact.session().scores(artifact.golden.x)
    )
    assert list(folder.parent.iterdir()) == [folder]
    assert {path.name for path in folder.iterdir()} == {*FILES, MANIFEST}


def test_any_onnx_tool_can_open_the_folder(artifact: Artifact, tmp_path: Path):
    save_artifact(tmp_path / "model", artifact)
    plain = ort.InferenceSession(
        str(tmp_path / "model" / GRAPH), providers=["CPUExecutionProvider"]
    )
    scores = plain.run(["scores"], {"x": artifact.golden.x})[0]
    np.testing.assert_allclose(scores, artifact.golden.scores, atol=PARITY)


def test_an_artifact_is_never_overwritten(stored: Path, clap: Artifact):
    with pytest.raises(StorageError, match="model"):
        save_artifact(stored, clap)
    assert load_artifact(stored).version == clap.version
    assert list(stored.parent.iterdir()) == [stored]


def test_without_the_golden_scores_nothing_is_saved(clap: Artifact, tmp_path: Path):
    wrong = replace(clap, golden=Golden(clap.golden.x, clap.golden.scores + np.float32(0.01)))
    with pytest.raises(ModelError, match=r"missed by 0\.01"):
        save_artifact(tmp_path / "model", wrong)
    assert list(tmp_path.iterdir()) == []


def resigned(folder: Path, name: str, payload: bytes) -> None:
    """Replace a file and have the manifest vouch for it."""
    (folder / name).write_bytes(payload)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest["files"][name] = hashlib.sha256(payload).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_without_the_golden_scores_nothing_is_loaded(stored: Path, clap: Artifact):
    weights = new_weights(clap.spec, 9)
    resigned(stored, WEIGHTS, save(weights))
    with pytest.raises(ModelError, match="golden scores are missed"):
        load_artifact(stored)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        (GRAPH, b"no graph"),
        (WEIGHTS, b"no weights"),
        (WEIGHTS, save({"a": np.zeros(2, np.float32)})),
        (GOLDEN, save({"x": np.zeros((1, 1, 5), np.float32)})),
        (GOLDEN, save({"x": np.zeros((1, 1, 9), np.float32), "scores": np.zeros((1, 1))})),
        (GOLDEN, save({"x": np.zeros((1, 2, 5), np.float32), "scores": np.zeros((3, 9))})),
    ],
)
def test_a_foreign_file_is_refused_even_when_vouched_for(stored: Path, name: str, payload: bytes):
    resigned(stored, name, payload)
    with pytest.raises(ModelError):
        load_artifact(stored)


@pytest.mark.parametrize("name", sorted(FILES | {MANIFEST}))
@pytest.mark.parametrize("damage", ["missing", "empty", "flipped"])
def test_a_damaged_file_is_refused(stored: Path, name: str, damage: str):
    path = stored / name
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 3] ^= 1
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else whole)
    if name == MANIFEST and damage == "flipped":
        with suppress(VadError):  # a changed remark may go unnoticed, a changed file may not
            load_artifact(stored)
        return
    with pytest.raises(ModelError):
        load_artifact(stored)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(
    name=st.sampled_from(["format", "student", "spec_versions", "files", "provenance"]),
    value=st.none() | st.integers() | st.text(max_size=4) | st.lists(st.integers(), max_size=3),
)
def test_a_manifest_of_another_shape_is_refused(stored: Path, name: str, value):
    path = stored / MANIFEST
    whole = path.read_text()
    path.write_text(json.dumps(json.loads(whole) | {name: value}))
    try:
        if (name == "provenance" and value == "") or value == []:
            return  # says nothing, and is of the right kind
        with pytest.raises(VadError):
            load_artifact(stored)
    finally:
        path.write_text(whole)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_get_no_session(clap: Artifact, value: float):
    weights = {name: array.copy() for name, array in clap.weights.items()}
    weights["detector.fc3.bias"][0] = value
    with pytest.raises(ModelError, match="not finite"):
        clap.session(weights)


def test_weights_that_overflow_get_no_session():
    density = make(SPECS[2])
    weights = dict(density.weights)
    weights["fc4.weight"] = np.full_like(weights["fc4.weight"], 3e38)
    with pytest.raises(ModelError, match="not finite"):
        density.session(weights)


def test_weights_of_another_shape_get_no_session(clap: Artifact):
    with pytest.raises(ModelError, match="lacks"):
        clap.session({})
    with pytest.raises(ModelError, match="does not take"):
        StudentSession(clap.graph, {"detector.fc1.bias": np.zeros(3, np.float32)})


def test_segments_of_another_width_are_a_model_error(clap: Artifact):
    with pytest.raises(ModelError, match="cannot score"):
        clap.session().scores(segments(1, 2, inputs=9))


def test_new_weights_bring_their_own_golden_scores(clap: Artifact):
    weights = new_weights(clap.spec, 4)
    scores = student_room.predict(clap.spec, weights, clap.golden.x)
    newer = clap.with_weights(weights, scores, {"round": 4})
    assert parity_error(newer.checked(), newer.golden) < PARITY
    assert newer.version != clap.version


def test_an_artifact_is_read_without_torch(stored: Path):
    code = (
        "import sys; from pathlib import Path; from edge.model.artifact import load_artifact;"
        f"load_artifact(Path({str(stored)!r})).session();"
        "print([n for n in ('torch', 'onnx', 'sklearn') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"
