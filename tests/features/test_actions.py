"""People in coloured coats, and a word model that sees their colours."""

from dataclasses import dataclass

import numpy as np
import pytest

from edge.domain.frame import Frame
from edge.domain.tracks import Tracks
from edge.errors import ModelError
from edge.features.actions import EMBEDDINGS_HZ, ActionSight, action_spec
from edge.features.track_crops import LEAST_SEEN, STILL_EVERY_S
from tests.fakes.words import COLOURS, FakeWordModel

WIDTH, HEIGHT, RATE_HZ = 320, 180, 5
RED, GREEN = COLOURS["a red coat"], COLOURS["a green coat"]


@dataclass(frozen=True)
class Seen:
    frame: Frame
    tracks: Tracks


def seen(index, people, camera="door", *, rate_hz=RATE_HZ, noise=2.0):
    """Frame ``index`` of people: track id to (x, colour); the pixels tremble a little."""
    bgr = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    boxes = []
    for x, colour in people.values():
        bgr[60:120, x : x + 30] = colour
        bgr[90:92, x : x + 30] = 255
        boxes.append((x, 60, x + 30, 120))
    trembling = np.random.default_rng(index).normal(0, noise, bgr.shape)
    bgr = np.clip(bgr + trembling, 0, 255).astype(np.uint8)
    time_s = 1000.0 + index / rate_hz
    frame = Frame.from_bgr(bgr, camera=camera, index=index, time_s=time_s, received_s=0.0)
    count = len(boxes)
    tracks = Tracks(
        np.array(list(people), np.int64),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.ones(count, np.float32),
        np.zeros(count, np.int32),
    )
    return Seen(frame, tracks)


def walking(index, colour=RED, start=0):
    return (start + 4 * index) % 280, colour


@pytest.fixture
def model():
    return FakeWordModel()


def test_a_walker_is_embedded_at_the_rate_and_described_by_what_it_wears(model):
    sight = ActionSight(model)
    frames = 10 * RATE_HZ
    for index in range(frames):
        found = sight.features(seen(index, {7: walking(index)}))
        assert len(found) == (sum(model.batches) >= LEAST_SEEN)
    assert sum(model.batches) == pytest.approx(frames / RATE_HZ * EMBEDDINGS_HZ, abs=2)
    assert found.track_id.tolist() == [7]
    assert found.spec == action_spec(model)
    np.testing.assert_allclose(np.linalg.norm(found.values, axis=1), 1, rtol=1e-5)
    assert (found.values @ model.prompts.embeddings.T).argmax() == 0


def test_who_stands_still_is_embedded_once_then_at_long_intervals(model):
    sight = ActionSight(model)
    frames = int(1.5 * STILL_EVERY_S * RATE_HZ)
    for index in range(frames):
        found = sight.features(seen(index, {1: (100, RED)}))
    assert sum(model.batches) == 2
    assert len(found) == 1  # what it does is still said, in every frame
    assert sight.looks("door").embeddings == 2
    assert sum(model.acted) < 2 * model.frames  # and computed only as long as it changes


def test_a_box_that_trembles_around_a_still_object_shows_nothing_new(model):
    sight = ActionSight(model)
    rng = np.random.default_rng(0)
    for index in range(40):
        shown = seen(index, {1: (100, RED)})
        shown.tracks.boxes_xyxy[:] += rng.uniform(-2, 2, 4).astype(np.float32)
        sight.features(shown)
    assert sum(model.batches) == 1


def test_an_object_that_changes_in_its_place_is_embedded_again(model):
    sight = ActionSight(model)
    for index in range(20):
        found = sight.features(seen(index, {1: (100, RED if index < 10 else GREEN)}))
    assert sum(model.batches) == 2
    assert (found.values @ model.prompts.embeddings.T).argmax() in (1, 3)  # green gains on red


def test_many_cameras_are_embedded_in_one_batch_and_acted_in_one(model):
    sight = ActionSight(model)
    for index in range(3):
        shown = [seen(index, {k: walking(index, start=9 * k)}, f"c{k}") for k in range(5)]
        sight.look(shown)
        rows = [sight.features(each) for each in shown]
    assert set(model.batches) == {5}
    assert set(model.acted) == {5}
    assert [each.track_id.tolist() for each in rows] == [[0], [1], [2], [3], [4]]


def test_alone_or_together_a_camera_is_seen_alike(model):
    alone, together = ActionSight(model), ActionSight(model)
    for index in range(20):
        one, other = (seen(index, {k: walking(index, start=50 * k)}, f"c{k}") for k in (1, 2))
        together.look([one, other])
        np.testing.assert_array_equal(alone.features(one).values, together.features(one).values)


def test_the_budget_is_kept_over_all_cameras_and_every_drop_is_counted(model):
    sight = ActionSight(model, embeddings_per_s=6)
    for index in range(10 * RATE_HZ):
        sight.look(
            [
                seen(index, {k: walking(index, start=40 * k) for k in range(4)}, camera)
                for camera in ("door", "yard")
            ]
        )
    looks = [sight.looks(camera) for camera in ("door", "yard")]
    assert sum(model.batches) == sum(each.embeddings for each in looks) <= 6 * 10 + 3
    assert all(each.embeddings and each.dropped for each in looks)


def test_the_most_anomalous_track_is_never_the_one_that_goes_without(model):
    sight = ActionSight(model, embeddings_per_s=4)
    people = {k: 40 * k for k in range(6)}
    newest = {}
    for index in range(10 * RATE_HZ):
        colours = {k: (x + 2 * index % 30, RED if index % 2 else GREEN) for k, x in people.items()}
        before = sum(model.batches)
        found = sight.features(seen(index, colours))
        sight.heed("door", {k: 5.0 if k == 3 else 0.1 for k in people})
        for track_id, row in zip(found.track_id.tolist(), found.values, strict=True):
            newest.setdefault(track_id, []).append(row.tobytes())
        assert sum(model.batches) - before <= 4
    changes = {k: len(set(rows)) for k, rows in newest.items()}
    assert changes[3] == max(changes.values())
    assert changes[3] > 2 * min(changes.values())


def test_a_shortage_that_lasts_is_said_and_only_of_the_camera_that_has_it(model):
    sight = ActionSight(model, embeddings_per_s=1)
    for index in range(70 * 2):
        crowd = seen(index, {k: walking(index, start=40 * k) for k in range(6)}, rate_hz=2)
        sight.look([crowd, seen(index, {}, "yard", rate_hz=2)])
    assert sight.is_short("door")
    assert not sight.is_short("yard")
    assert not sight.is_short("nowhere")


def test_a_track_that_was_out_of_sight_begins_anew(model):
    sight = ActionSight(model)
    for index in range(10):
        sight.features(seen(index, {1: walking(index)}))
    assert len(sight.features(seen(30, {1: walking(30, GREEN)}))) == 0
    found = sight.features(seen(32, {1: walking(32, GREEN)}))
    assert (found.values @ model.prompts.embeddings.T).argmax() == 1


def test_what_lies_outside_the_picture_is_left_alone(model):
    sight = ActionSight(model)
    for index in range(5):
        shown = seen(index, {1: (100, RED)})
        shown.tracks.boxes_xyxy[0] = (-80, 10, -50, 60)
        assert len(sight.features(shown)) == 0
    assert model.batches == []


def test_a_picture_of_another_size_begins_anew(model):
    sight = ActionSight(model)
    sight.features(seen(0, {1: (100, RED)}))
    small = seen(1, {1: (100, RED)})
    half = np.ascontiguousarray(small.frame.bgr()[: HEIGHT // 2 + 40, : WIDTH // 2])
    frame = Frame.from_bgr(half, camera="door", index=1, time_s=1000.2, received_s=0.0)
    sight.features(Seen(frame, small.tracks))
    assert sum(model.batches) == 2


def test_a_failing_network_costs_no_budget_and_no_state(model):
    sight = ActionSight(model, embeddings_per_s=2)
    working, model.embed = model.embed, None
    for index in range(4):
        with pytest.raises(TypeError):
            sight.look([seen(index, {1: walking(index)})])
    model.embed = working
    sight.look([seen(4, {1: walking(4)})])
    assert model.batches == [1]


class Failing(FakeWordModel):
    """Does not run while ``broken`` names what."""

    broken = ""

    def embed(self, prepared):
        if self.broken == "embed":
            raise ModelError("no memory left")
        return super().embed(prepared)

    def act(self, embeddings):
        if self.broken == "act":
            raise ModelError("no memory left")
        return super().act(embeddings)


@pytest.mark.parametrize("broken", ["embed", "act"])
def test_a_model_that_does_not_run_is_told_once_and_its_looks_are_counted(broken, caplog):
    model = Failing()
    sight = ActionSight(model)
    for index in range(30):
        model.broken = broken if 10 <= index < 20 else ""
        found = sight.features(seen(index, {1: walking(index)}))
        assert bool(sight.problem) == (10 <= index < 20)
    assert caplog.text.count("no memory left") == 1
    assert found.track_id.tolist() == [1]
    looks = sight.looks("door")
    assert looks.dropped == 0
    assert (looks.failed >= 9) == (broken == "embed")
    assert looks.embeddings == sum(model.batches)


def test_a_problem_lasts_until_the_model_runs_again():
    model = Failing()
    sight = ActionSight(model)
    model.broken = "embed"
    sight.features(seen(0, {1: walking(0)}))
    model.broken = ""
    sight.features(seen(1, {}))
    assert sight.problem
    sight.features(seen(2, {1: walking(2)}))
    assert sight.problem == ""


def test_another_model_is_another_version_of_the_features(model):
    assert action_spec(model) == action_spec(FakeWordModel())
    assert action_spec(model) != action_spec(FakeWordModel(version="other"))
