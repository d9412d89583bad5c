from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ModelError
from edge.model.spec import StudentSpec
from tests.model.specs import INPUTS, segments

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
student_room = pytest.importorskip("edge.model.student")
export_room = pytest.importorskip("edge.model.export")
make_student, weights_of = student_room.make_student, student_room.weights_of
predict = student_room.predict

CAUSAL = StudentSpec("dakd", INPUTS, window=4, hidden=16, attention_heads=2, reach=3, causal=True)
BOTH_WAYS = replace(CAUSAL, causal=False)
PARITY = 1e-4
MEAN, SCALE = "network.projections.0.input_mean", "network.projections.0.input_scale"


def new_weights(spec: StudentSpec, seed: int = 3) -> dict[str, np.ndarray]:
    """Of features that are not standard."""
    rng = np.random.default_rng(seed)
    return weights_of(make_student(spec, seed=seed)) | {
        MEAN: rng.standard_normal(INPUTS).astype(np.float32),
        SCALE: rng.uniform(0.5, 2, INPUTS).astype(np.float32),
    }


def test_both_ways_it_sees_the_whole_video_however_long(monkeypatch):
    weights, video = new_weights(BOTH_WAYS), segments(1, 23)
    whole = predict(BOTH_WAYS, weights, video)
    monkeypatch.setattr(student_room, "PREDICTED_AT_ONCE", 5)
    np.testing.assert_array_equal(predict(BOTH_WAYS, weights, video), whole)
    later = video.copy()
    later[:, -1] += 3
    assert np.abs(predict(BOTH_WAYS, weights, later) - whole)[0, 0] > 1e-5
    assert BOTH_WAYS.looks_ahead


def test_causal_it_never_sees_what_comes_later():
    weights, video = new_weights(CAUSAL), segments(1, 23)
    whole = predict(CAUSAL, weights, video)
    for end in range(1, 23):
        later = video.copy()
        later[:, end:] += 3
        np.testing.assert_array_equal(predict(CAUSAL, weights, later)[:, :end], whole[:, :end])
    assert not CAUSAL.looks_ahead


def test_features_are_standardised_inside():
    weights, x = new_weights(BOTH_WAYS), segments(2, 7)
    plain = weights | {MEAN: np.zeros(INPUTS, np.float32), SCALE: np.ones(INPUTS, np.float32)}
    np.testing.assert_allclose(
        predict(BOTH_WAYS, weights, x * weights[SCALE] + weights[MEAN]),
        predict(BOTH_WAYS, plain, x),
        atol=1e-6,
    )


@pytest.mark.parametrize("spec", [CAUSAL, BOTH_WAYS], ids=["causal", "both ways"])
@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 40), (3, 5), (2, 4)])
def test_the_graph_takes_any_batch_and_length(spec: StudentSpec, batch: int, length: int):
    artifact = export_room.make_artifact(
        spec,
        new_weights(spec),
        spec_versions=["picture-1-abc"],
        golden_x=segments(2, 6),
        provenance={},
    )
    x = segments(batch, length, seed=length)
    expected = predict(spec, artifact.weights, x)
    np.testing.assert_allclose(artifact.checked().scores(x), expected, atol=PARITY)
    named = {entry.name for entry in onnx.load_from_string(artifact.graph).graph.initializer}
    assert named >= {MEAN, SCALE}


def test_padding_has_no_part_in_the_loss():
    student = make_student(BOTH_WAYS, seed=0)
    x = torch.from_numpy(segments(2, 4))
    target, counted = torch.full((2, 4), 0.5), torch.ones(2, 4)
    counted[:, 3] = 0
    first = student.loss(x, target, counted)
    x[:, 3], target[:, 3] = 100.0, 1.0
    assert torch.allclose(first, student.loss(x, target, counted))
    assert torch.allclose(first, student.loss(x[:, :3], target[:, :3], counted[:, :3]))


def test_a_description_from_before_there_was_this_head_is_read():
    fields = StudentSpec("clap", INPUTS).as_json()
    del fields["reach"], fields["causal"]
    assert StudentSpec.from_json(fields) == StudentSpec("clap", INPUTS)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"reach": 0}, "reach must be"),
        ({"causal": 1}, "causal"),
        ({"head": "temporal", "causal": True}, "causal is a choice of head dakd"),
        ({"attention_heads": 3}, "divide"),
        ({"window": 0}, "window must be"),
    ],
)
def test_what_cannot_be_built_is_refused(change, why: str):
    with pytest.raises(ModelError, match=why):
        StudentSpec.from_json(CAUSAL.as_json() | change)


def test_the_published_size():
    """512 features of CLIP, as wide as the paper says: 3.7 million numbers."""
    weights = weights_of(make_student(StudentSpec("dakd", 512, window=32), seed=0))
    assert weights["network.temporal.query.0.weight"].shape == (1024, 512)
    assert weights["network.temporal.position"].shape == (50, 512)
    assert sum(array.size for array in weights.values()) == 3_714_625
