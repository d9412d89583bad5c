import cv2
import numpy as np
import pytest

from edge.domain.boxes import iou
from edge.domain.frame import Frame
from edge.perception.gate import GateSettings
from edge.perception.perception import Perception
from tests.perception.scenes import BrightThings, frame, picture

PACE_S = 0.2
LEARNING = 15  # frames


def walk(*, frames, start=60, step=4, still_from=10**9):
    """Boxes of a person who walks to the right and perhaps stops, after an empty beginning."""
    for index in range(frames):
        x = start + step * min(index, still_from)
        yield [(x, 60, x + 20, 110)]


def watch(perception, scenes, *, camera="door", start_s=0.0):
    """Percepts of a camera's pictures at a steady pace."""
    percepts = []
    for index, boxes in enumerate(scenes):
        shot = frame(picture(boxes), time_s=start_s + index * PACE_S, camera=camera)
        percepts.extend(perception.observe([shot]))
    return percepts


def empty(frames=LEARNING):
    return [[]] * frames


@pytest.fixture(params=["motion", "network"])
def perception(request):
    return Perception(BrightThings() if request.param == "network" else None)


def test_a_walker_keeps_one_id_and_the_right_box(perception):
    scenes = [*empty(), *walk(frames=20)]
    percepts = watch(perception, scenes)[LEARNING + 2 :]
    assert len({tuple(one.tracks.track_id) for one in percepts}) == 1
    for percept, boxes in zip(percepts, scenes[LEARNING + 2 :], strict=True):
        assert iou(percept.tracks.boxes_xyxy, np.array(boxes, np.float32)).item() > 0.6


def test_an_empty_scene_has_no_tracks(perception):
    assert all(len(one.tracks) == 0 for one in watch(perception, empty(30)))


def test_a_camera_does_not_depend_on_others_in_the_call():
    right = [*empty(), *walk(frames=15)]
    left = [*empty(), *walk(frames=15, start=200, step=-6)]
    for make in (lambda: Perception(), lambda: Perception(BrightThings())):
        alone = watch(make(), right, camera="right")
        together = make()
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            shots = [
                frame(picture(one), time_s=index * PACE_S, camera="left"),
                frame(picture(other), time_s=index * PACE_S, camera="right"),
            ]
            _, percept = together.observe(shots)
            assert percept.frame is shots[1]
            np.testing.assert_array_equal(percept.tracks.boxes_xyxy, alone[index].tracks.boxes_xyxy)


def test_cameras_share_the_networks_batches():
    detector = BrightThings()
    shots = [frame(picture(), time_s=0.0, camera=name) for name in "abc"]
    Perception(detector).observe(shots)
    assert detector.batches == [3]


def test_without_motion_the_network_sleeps_until_the_keep_alive():
    percepts = watch(Perception(BrightThings()), empty(60))
    looked = [index * PACE_S for index, one in enumerate(percepts) if one.motion.network_ran]
    assert looked == pytest.approx([0, 10])


def test_a_still_object_keeps_its_track_without_the_network():
    gating = GateSettings(keep_alive_s=60)
    scenes = [*empty(), *walk(frames=100, still_from=10)]
    percepts = watch(Perception(BrightThings(), gating=gating), scenes)[LEARNING + 2 :]
    assert len({tuple(one.tracks.track_id) for one in percepts}) == 1
    assert len(percepts[-1].tracks) == 1
    settled = percepts[20:]
    assert sum(one.motion.network_ran for one in settled) == 0


def test_a_moving_object_is_looked_at_less_often_than_it_is_seen():
    percepts = watch(Perception(BrightThings()), [*empty(), *walk(frames=40)])[LEARNING + 3 :]
    share = np.mean([one.motion.network_ran for one in percepts])
    assert 0.2 < share < 0.6


def test_tracks_end_at_a_gap_and_the_scene_stays_learnt(perception):
    before = watch(perception, [*empty(), *walk(frames=10)])
    after = watch(perception, walk(frames=4), start_s=100.0)
    assert len(before[-1].tracks) == len(after[-1].tracks) == 1
    assert before[-1].tracks.track_id[0] != after[-1].tracks.track_id[0]


def test_a_camera_that_changes_its_size_learns_anew(perception):
    watch(perception, [*empty(), *walk(frames=10)])
    larger = frame(picture(width=640, height=360), time_s=6.0)
    (percept,) = perception.observe([larger])
    assert percept.motion.mask.shape == (180, 320)
    assert len(percept.tracks) == 0


def test_motion_is_told_at_its_own_scale():
    perception = Perception()
    for index, boxes in enumerate([*empty(), *walk(frames=5)]):
        shot = frame(picture([]), time_s=index * PACE_S)
        if boxes:
            bgr = cv2.resize(picture(boxes), (640, 360), interpolation=cv2.INTER_NEAREST)
        else:
            bgr = cv2.resize(picture(), (640, 360), interpolation=cv2.INTER_NEAREST)
        shot = Frame.from_bgr(bgr, camera="door", index=index, time_s=index * PACE_S, received_s=0)
        (percept,) = perception.observe([shot])
    motion = percept.motion
    assert (motion.mask.shape, motion.scale) == ((180, 320), 0.5)
    assert motion.moving_fraction == pytest.approx(motion.mask.mean())
    assert motion.mask.max() == 1
    np.testing.assert_allclose(percept.tracks.boxes_xyxy, [[152, 120, 192, 220]], atol=8)


def test_the_people_of_real_footage_are_found_without_weights(vad_data):
    capture = cv2.VideoCapture(str(vad_data / "data" / "vtest" / "vtest.avi"))
    perception, counts = Perception(), []
    for index in range(120):
        _, bgr = capture.read()
        shot = Frame.from_bgr(bgr, camera="a", index=index, time_s=index / 10, received_s=0)
        (percept,) = perception.observe([shot])
        counts.append(len(percept.tracks))
    capture.release()
    assert sum(counts[:20]) == 0
    assert 3 <= np.median(counts[30:]) <= 9
