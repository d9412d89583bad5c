"""What is extracted is what a camera host measures of the same video."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.analysis import Extractor
from edge.features import scene_segment
from edge.features.embedding import Look, SceneEmbedding
from edge.ingest.feed import read_frames
from edge.ingest.file import FileSource
from edge.model.backbone import load_backbone
from edge.perception.perception import Perception
from export.extract.clip import Job, Setup, extract_clip, segment_frames
from export.extract.videos import Video
from export.extract.watch import Viewing
from tests.fakes.clips import RATE_HZ


@pytest.fixture(scope="module")
def setup(backbones):
    return Setup((*backbones.items(), ("descriptors", None)), "objects", Viewing(RATE_HZ))


NAMES = ("still", "moving", "descriptors")


@pytest.fixture
def video(clips):
    return Video("n0", "train", clips / "video" / "train" / "n0.mkv")


def live(path):
    """The frames of a file as the host's worker sees them."""
    perception = Perception()
    for frame in read_frames(FileSource(path), camera="c", analysis_hz=RATE_HZ, max_width=640):
        yield perception.observe([frame])[0]


def test_one_pass_serves_all_and_gives_the_same_segments(setup, video):
    outcome = extract_clip(setup, Job(video, NAMES))
    shapes = {name: rows.shape for name, rows in outcome.rows.items()}
    assert shapes == {"still": (2, 16), "moving": (2, 8), "descriptors": (2, 23)}
    assert outcome.segment_frames == 16
    assert outcome.left_out is None


@pytest.mark.parametrize(("name", "view"), [("still", "objects"), ("moving", "picture")])
def test_embeddings_are_those_of_a_live_camera(setup, video, backbones, name, view):
    backbone = load_backbone(backbones[name])
    embedding = SceneEmbedding(backbone, Look.of(view, backbone))
    found = [embedding.observe(p.frame, p.tracks.boxes_xyxy).values for p in live(video.path)]
    extracted = extract_clip(setup, Job(video, (name,))).rows[name]
    assert np.array_equal(extracted, np.concatenate(found))
    assert np.ptp(extracted, axis=0).max() > 0


def test_descriptors_are_every_sixteenth_of_a_live_cameras(setup, video):
    extractor = Extractor(describing=True)
    live_rows = []
    for percept in live(video.path):
        groups = [g for g in extractor.measure(percept).described if g.spec in scene_segment.SPECS]
        live_rows.append(np.concatenate([group.values for group in groups], axis=1))
    extracted = extract_clip(setup, Job(video, ("descriptors",))).rows["descriptors"]
    assert np.array_equal(extracted, np.concatenate([live_rows[15], live_rows[31]]))


def test_without_objects_nothing_is_followed_and_the_picture_is_the_same(backbones, video):
    alone = Setup((("still", backbones["still"]),), "picture", Viewing(RATE_HZ))
    backbone = load_backbone(backbones["still"])
    embedding = SceneEmbedding(backbone, Look.of("picture", backbone))
    found = [embedding.observe(p.frame, p.tracks.boxes_xyxy).values for p in live(video.path)]
    rows = extract_clip(alone, Job(video, ("still",))).rows["still"]
    assert np.array_equal(rows, np.concatenate(found))


@pytest.mark.parametrize("content", [b"", b"no video at all"])
def test_a_corrupt_video_is_left_out_and_named(setup, tmp_path, content):
    path = tmp_path / "torn.mkv"
    path.write_bytes(content)
    outcome = extract_clip(setup, Job(Video("torn", "train", path), NAMES))
    assert "torn.mkv" in outcome.left_out
    assert not outcome.rows


def test_a_test_video_that_does_not_fit_its_labels_is_left_out(setup, clips):
    path = clips / "video" / "test" / "odd.mkv"
    fits = extract_clip(setup, Job(Video("odd", "test", path, 34), NAMES))
    torn = extract_clip(setup, Job(Video("odd", "test", path, 40), NAMES))
    assert fits.left_out is None
    assert "34 intact frames, but 40 labels" in torn.left_out


def test_a_truncated_video_of_the_test_split_is_left_out(setup, clips, tmp_path):
    whole = (clips / "video" / "test" / "odd.mkv").read_bytes()
    path = tmp_path / "odd.mkv"
    path.write_bytes(whole[: len(whole) // 2])
    outcome = extract_clip(setup, Job(Video("odd", "test", path, 34), NAMES))
    assert "34 labels" in outcome.left_out


def test_a_video_too_short_for_a_segment_is_left_out(backbones, video):
    setup = Setup((("still", backbones["still"]),), "picture", Viewing(analysis_hz=2.0))
    outcome = extract_clip(setup, Job(video, ("still",)))
    assert "too short" in outcome.left_out


@given(st.integers(1, 30), st.integers(1, 20))
def test_even_segments_are_known_by_their_ends(step, count):
    ends = [(16 * k + 15) * step for k in range(count)]
    assert segment_frames(ends) == 16 * step


@given(st.integers(1, 30), st.integers(2, 20), st.data())
def test_segments_with_a_hole_before_them_are_not_even(step, count, data):
    ends = [(16 * k + 15) * step for k in range(count)]
    late = data.draw(st.integers(1, count - 1))
    shifted = [*ends[:late], *(end + data.draw(st.integers(1, 99)) for end in ends[late:])]
    assert segment_frames(shifted) is None
