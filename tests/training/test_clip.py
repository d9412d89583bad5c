import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.analysis import SPECS, STORED_SPECS
from edge.domain.features import Feature, FeatureSpec
from edge.domain.segment import MAX_GAP_S, SCENE_SEGMENT_FRAMES
from edge.errors import FeatureVersionError, MalformedMessageError
from edge.features import scene_segment
from edge.training.clip import Draft
from edge.training.clip_file import encode_clip, load_clip
from tests.fakes.footage import HEIGHT, WIDTH, groups


def make_clip(frames=40, *, score=1.5, **rows):
    draft = Draft("door", WIDTH, HEIGHT, frames_wanted=frames)
    for index in range(frames):
        draft.add(groups(index, **rows), 1000 + index / 5, score)
    return draft.finished()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "1.clip"


@pytest.fixture
def stored(path):
    path.write_bytes(encode_clip(make_clip()))
    return path


def assert_same(some, other):
    assert (some.spec, len(some)) == (other.spec, len(other))
    for name in ("track_id", "class_id", "boxes_xyxy", "values"):
        ours, theirs = getattr(some, name), getattr(other, name)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    assert (some.cells is None) == (other.cells is None)
    if some.cells is not None:
        np.testing.assert_array_equal(some.cells.column_row, other.cells.column_row)
        np.testing.assert_array_equal(some.cells.velocity, other.cells.velocity)


def test_frames_come_back_as_they_were_measured(stored):
    clip = load_clip(stored, STORED_SPECS)
    assert (clip.camera, clip.width, clip.height) == ("door", WIDTH, HEIGHT)
    frames = list(clip.frames())
    assert [time_s for time_s, _ in frames] == [1000 + index / 5 for index in range(40)]
    for index, (_, found) in enumerate(frames):
        ends = (index + 1) % SCENE_SEGMENT_FRAMES == 0
        for ours, theirs in zip(found, groups(index, full=ends), strict=True):
            assert len(ours) == len(theirs)
            if ours.spec in SPECS:
                assert_same(ours, theirs)


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(0, 3), st.integers(0, 3))
def test_a_clip_survives_its_file_whatever_is_in_sight(tmp_path_factory, frames, people, cells):
    clip = make_clip(frames, people=people, cells=cells)
    path = tmp_path_factory.mktemp("clip") / "1.clip"
    path.write_bytes(encode_clip(clip))
    again = load_clip(path, STORED_SPECS)
    np.testing.assert_array_equal(again.time_s, clip.time_s)
    np.testing.assert_array_equal(again.score, clip.score)
    for ours, theirs in zip(again.tables, clip.tables, strict=True):
        np.testing.assert_array_equal(ours.frame, theirs.frame)
        assert_same(ours.features, theirs.features)


def test_a_clip_in_hand_holds_few_arrays_and_regions_that_are_shared_once():
    draft = Draft("door", WIDTH, HEIGHT, frames_wanted=600)
    for index in range(5 * SCENE_SEGMENT_FRAMES + 3):
        draft.add(groups(index), 1000 + index / 5, None)
    assert len(draft._latest) == 3
    assert len(draft._tables) == 5 * len(STORED_SPECS)
    clip = draft.finished()
    objects, speed, moving, motion = clip.tables[:4]
    for ours, theirs in ((objects, speed), (moving, motion)):
        assert ours.frame is theirs.frame
        assert ours.features.boxes_xyxy is theirs.features.boxes_xyxy
        assert ours.features.values is not theirs.features.values
    assert all(table.features.values.base is None for table in clip.tables)  # no view of a frame


def test_groups_of_other_regions_share_nothing():
    one, other = groups(1), groups(2)
    draft = Draft("door", WIDTH, HEIGHT, frames_wanted=2)
    draft.add((one[0], one[1]), 1000.0, None)
    draft.add((other[0], groups(2)[1]), 1000.2, None)  # equal, but not the same arrays
    objects, speed = draft.finished().tables
    assert objects.features.boxes_xyxy is not speed.features.boxes_xyxy
    np.testing.assert_array_equal(objects.features.boxes_xyxy, speed.features.boxes_xyxy)


def test_scene_segments_of_a_clip_do_not_overlap_and_are_one_vector_each(stored):
    clip = load_clip(stored, STORED_SPECS)
    assert clip.scene_end.tolist() == [15, 31]
    assert clip.scene.shape == (2, sum(map(len, scene_segment.SPECS)))
    flow, objects = (
        np.concatenate([groups(index)[order].values for index in (15, 31)]) for order in (5, 6)
    )
    np.testing.assert_array_equal(clip.scene, np.concatenate([flow, objects], axis=1))


def test_footage_without_pixels_has_the_objects_part_alone(path):
    draft = Draft("door", WIDTH, HEIGHT, frames_wanted=16)
    for index in range(16):
        draft.add(groups(index)[6:], 1000 + index / 5, None)
    clip = draft.finished()
    assert clip.scene.shape == (1, len(scene_segment.OBJECTS_SPEC))
    path.write_bytes(encode_clip(clip))
    with pytest.raises(FeatureVersionError, match="scene-flow"):
        load_clip(path, scene_segment.SPECS)
    again = load_clip(path, [scene_segment.OBJECTS_SPEC])
    np.testing.assert_array_equal(again.scene, clip.scene)


def test_a_group_is_found_by_its_name_and_only_if_it_was_asked_for(stored):
    clip = load_clip(stored, scene_segment.SPECS)
    assert clip.table("scene-flow").features.spec is scene_segment.FLOW_SPEC
    with pytest.raises(LookupError, match="no group kinematics"):
        clip.table("kinematics")
    with pytest.raises(LookupError, match="no scene segments"):
        _ = load_clip(stored, SPECS).scene


def test_a_clip_knows_its_largest_score():
    assert make_clip(score=None).top_score is None
    draft = Draft("door", WIDTH, HEIGHT, frames_wanted=3)
    for index, score in enumerate([0.5, 4.0, None]):
        draft.add(groups(index), 1000 + index / 5, score)
    assert draft.finished().top_score == 4.0


@pytest.mark.parametrize(
    ("later_s", "width", "fits"),
    [
        (0.0, WIDTH, True),
        (MAX_GAP_S, WIDTH, True),
        (MAX_GAP_S + 0.01, WIDTH, False),
        (-0.01, WIDTH, False),
        (0.2, WIDTH + 2, False),
    ],
)
def test_a_clip_ends_at_a_hole_a_clock_set_back_or_another_picture(later_s, width, fits):
    draft = Draft("door", WIDTH, HEIGHT, frames_wanted=3)
    draft.add(groups(), 1000.0, None)
    assert draft.fits(1000.0 + later_s, width, HEIGHT) is fits


def test_groups_that_speak_of_the_same_regions_share_them():
    with zipfile.ZipFile(io.BytesIO(encode_clip(make_clip()))) as archive:
        names = archive.namelist()
    assert sum(name.endswith("track_id.npy") for name in names) == 3  # objects, cells, picture
    assert sum(name.endswith("values.npy") for name in names) == len(STORED_SPECS)


def test_another_version_of_a_group_is_told_from_a_damaged_file(stored):
    newer = FeatureSpec("kinematics", 2, (Feature("speed", "heights/s"),))
    with pytest.raises(FeatureVersionError, match="not kinematics-2"):
        load_clip(stored, [newer])


def test_every_truncated_file_is_refused(stored):
    content = stored.read_bytes()
    for length in range(0, len(content), 97):
        stored.write_bytes(content[:length])
        with pytest.raises(MalformedMessageError, match=r"1\.clip: damaged or foreign"):
            load_clip(stored, STORED_SPECS)


CONTENT = encode_clip(make_clip(20))


@settings(max_examples=300)
@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_changes_nothing(tmp_path_factory, place, change):
    path = tmp_path_factory.getbasetemp() / "flipped.clip"
    content = bytearray(CONTENT)
    content[place] ^= change
    path.write_bytes(content)
    try:
        clip = load_clip(path, STORED_SPECS)
    except (MalformedMessageError, FeatureVersionError):
        return
    for ours, theirs in zip(clip.tables, make_clip(20).tables, strict=True):
        assert_same(ours.features, theirs.features)


def rewritten(path, **arrays):
    """Other members under the names that a file has."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name, array in arrays.items():
        content = io.BytesIO()
        np.save(content, array)
        members[name.replace("_in_", ".") + ".npy"] = content.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("time_s", np.linspace(9, 1, 40), "out of order"),
        ("time_s", np.full(40, np.nan), "not finite"),
        ("time_s", np.arange(40, dtype=np.float32), "holds float32"),
        ("0_in_frame", np.full(80, 40, np.int32), "does not have"),
        ("0_in_frame", np.arange(80, dtype=np.int32)[::-1] // 2, "out of order"),
        ("0_in_values", np.full((13, 80), np.inf, np.float32), "not finite"),
        ("0_in_values", np.zeros((12, 80), np.float32), "shape"),
        ("0_in_boxes_xyxy", np.zeros((4, 79), np.float32), "shape"),
        ("5_in_frame", np.array([14, 31], np.int32), "do not match"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(path, name, array, said):
    path.write_bytes(encode_clip(make_clip()))
    if name == "5_in_frame":
        lonely = [scene_segment.OBJECTS_SPEC, scene_segment.FLOW_SPEC]
        unshared(path)
        assert len(load_clip(path, lonely).scene) == 2
    rewritten(path, **{name: array})
    with pytest.raises(MalformedMessageError, match=said):
        load_clip(path, STORED_SPECS)


def unshared(path):
    """Give the second scene group regions of its own."""
    with zipfile.ZipFile(path) as archive:
        header = json.loads(archive.read("clip.json"))
        members = {name: archive.read(name) for name in archive.namelist()}
    header["tables"][6]["regions"] = 6
    members |= {
        n.replace("5.", "6.", 1): c
        for n, c in members.items()
        if n[:2] == "5." and "values" not in n
    }
    members["clip.json"] = json.dumps(header).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
