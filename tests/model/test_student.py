from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ModelError
from edge.model.spec import PENULTIMATE, StudentSpec
from tests.model.specs import HEADS, INPUTS, SPECS, segments

torch = pytest.importorskip("torch")
student_room = pytest.importorskip("edge.model.student")
detector_room = pytest.importorskip("edge.model.detector")
make_student, weights_of = student_room.make_student, student_room.weights_of
load_weights, predict = student_room.load_weights, student_room.predict

every_head = pytest.mark.parametrize("spec", SPECS, ids=HEADS)


def parameters(spec: StudentSpec) -> int:
    return sum(array.size for array in weights_of(make_student(spec, seed=0)).values())


@every_head
def test_a_head_gives_a_score_and_a_penultimate_vector_for_every_segment(spec: StudentSpec):
    scores, penultimate = make_student(spec, seed=0)(torch.from_numpy(segments(3, 7)))
    assert scores.shape == (3, 7)
    assert penultimate.shape == (3, 7, PENULTIMATE)


@every_head
def test_equal_seeds_give_equal_weights_and_disturb_no_other_draw(spec: StudentSpec):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (weights_of(make_student(spec, seed=s)) for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


@every_head
def test_weights_make_the_student(spec: StudentSpec):
    source, target = make_student(spec, seed=1).eval(), make_student(spec, seed=2).eval()
    load_weights(target, weights_of(source))
    x = torch.from_numpy(segments(2, 6))
    assert torch.equal(source(x)[0], target(x)[0])
    assert all(array.dtype == np.float32 for array in weights_of(source).values())


@every_head
def test_weights_are_a_copy(spec: StudentSpec):
    student = make_student(spec, seed=1)
    for array in weights_of(student).values():
        array[...] = np.nan
    assert all(torch.isfinite(tensor).all() for tensor in student.state_dict().values())


@every_head
def test_weights_that_do_not_fit_change_nothing(spec: StudentSpec):
    student = make_student(spec, seed=1)
    before = weights_of(student)
    name = sorted(before)[-1]
    for wrong in (
        {k: v for k, v in before.items() if k != name},
        before | {name: np.zeros((3, 3, 3), np.float32)},
        before | {"other": np.zeros(1, np.float32)},
    ):
        with pytest.raises(ModelError, match="student:"):
            load_weights(student, wrong)
    assert all(np.array_equal(before[n], a) for n, a in weights_of(student).items())


@every_head
def test_the_last_window_gives_the_score_of_the_whole_past(spec: StudentSpec):
    """What a live stream computes is what the whole video computes, causally."""
    weights = weights_of(make_student(spec, seed=3))
    video = segments(1, 12)
    whole = predict(spec, weights, video)[0]
    for end in range(1, 13):
        begin = max(0, end - spec.window)
        live = predict(spec, weights, video[:, begin:end])[0, -1]
        assert live == pytest.approx(whole[end - 1], abs=1e-5)


def test_temporal_really_looks_back_and_minds_the_order():
    spec = SPECS[1]
    weights = weights_of(make_student(spec, seed=3))
    video = segments(1, spec.window)
    swapped = video[:, [1, 0, 2, 3]]
    alone = predict(spec, weights, video[:, -1:])[0, -1]
    newest = [predict(spec, weights, x)[0, -1] for x in (video, swapped)]
    assert abs(newest[0] - alone) > 1e-4
    assert abs(newest[0] - newest[1]) > 1e-5


def test_long_videos_are_scored_in_parts(monkeypatch):
    spec = SPECS[1]
    weights = weights_of(make_student(spec, seed=3))
    video = segments(2, 23)
    whole = predict(spec, weights, video)
    monkeypatch.setattr(student_room, "PREDICTED_AT_ONCE", 5)
    np.testing.assert_allclose(predict(spec, weights, video), whole, atol=1e-6)


def test_clap_has_the_published_size_for_i3d_features():
    """CLAP sends 2.1 million parameters: features of 2048 values."""
    assert parameters(StudentSpec("clap", 2048)) == 2_131_041
    assert parameters(StudentSpec("clap", 13)) == 47_201


def test_the_detector_is_what_the_paper_draws():
    """Side branches with a softmax over features, multiplied into and then added to the trunk."""
    spec = SPECS[0]
    w = {k: v.astype(np.float64) for k, v in weights_of(make_student(spec, seed=1)).items()}
    x = segments(1, 3)[0].astype(np.float64)

    def layer(name: str, rows: np.ndarray) -> np.ndarray:
        return rows @ w[f"detector.{name}.weight"].T + w[f"detector.{name}.bias"]

    def attended(trunk: np.ndarray, branch: np.ndarray) -> np.ndarray:
        share = np.exp(branch) / np.exp(branch).sum(axis=1, keepdims=True)
        return trunk + trunk * share

    first = attended(np.maximum(layer("fc1", x), 0), layer("attention1", x))
    second = attended(np.maximum(layer("fc2", first), 0), layer("attention2", first))
    expected = 1 / (1 + np.exp(-layer("fc3", second)[:, 0]))
    got = predict(spec, weights_of(make_student(spec, seed=1)), segments(1, 3))[0]
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_padding_has_no_part_in_the_loss():
    spec = replace(SPECS[1], dropout=0.0)
    student = make_student(spec, seed=0)
    x = torch.from_numpy(segments(2, 4))
    target, counted = torch.zeros(2, 4), torch.ones(2, 4)
    counted[:, 3] = 0
    first = student.loss(x, target, counted)
    x[:, 3], target[:, 3] = 100.0, 1.0
    assert torch.equal(first, student.loss(x, target, counted))


def test_density_learns_from_what_is_held_for_normal_alone():
    student = make_student(SPECS[2], seed=0)
    x, target = torch.from_numpy(segments(1, 4)), torch.tensor([[0.0, 0.0, 0.0, 1.0]])
    losses = []
    for value in (0.0, 100.0):
        x[:, 3] = value
        torch.manual_seed(0)
        losses.append(student.loss(x, target, torch.ones(1, 4)))
    assert torch.equal(losses[0], losses[1])
    assert losses[0] > 0


def test_inputs_of_another_width_do_not_fit():
    weights = weights_of(make_student(SPECS[0], seed=0))
    with pytest.raises(ModelError, match="float32"):
        predict(replace(SPECS[0], inputs=INPUTS + 1), weights, segments(1, 2))
