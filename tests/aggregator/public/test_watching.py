"""What is seen in a public video is what a camera host would have stored of it."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.public import watching
from aggregator.public.watching import Onlooker, Views, Watcher, regular_pictures
from edge.analysis import LearningPlan, Pupil
from edge.domain.boxes import no_boxes
from edge.errors import SourceError
from edge.features.embedding import Look, SceneEmbedding
from edge.ingest.feed import read_frames
from edge.ingest.file import FileSource
from edge.model.artifact import Sampling
from edge.perception.motion import MOTION_LABELS
from edge.perception.perception import Perception
from edge.scoring.model import ScoringOptions
from edge.training.clip import Draft
from tests.fakes.backbones import tiny_backbone
from tests.fakes.clips import RATE_HZ

SAMPLING = Sampling(RATE_HZ, 640)


def watcher(head, sampling=SAMPLING) -> Watcher:
    return Watcher(Perception, detector="motion", head=head, sampling=sampling)


@pytest.fixture(scope="module")
def video(generated):
    return generated / "train" / "n0.mkv"


frames_of = partial(read_frames, camera="c", analysis_hz=RATE_HZ, max_width=640)


@pytest.fixture(scope="module")
def stored(video):
    """The clip that a host keeps of it."""
    draft = Draft("c", 160, 90, 10**6)

    class Keeper:
        def append(self, camera, groups, *, time_s, score, **_):
            draft.add(groups, time_s, score)

    pupil = Pupil("c", LearningPlan(60.0, 1.0, ScoringOptions()), keeper=Keeper())
    perception = Perception()
    for frame in frames_of(FileSource(video)):
        pupil.watch(perception.observe([frame])[0])
    return draft.finished()


def test_objects_are_the_rows_that_a_host_stores(video, stored):
    found, table = watcher("density").watch(video), stored.table("kinematics")
    assert np.array_equal(found.values, table.features.values)
    assert np.array_equal(found.frame, table.frame)
    assert len(found.values) > 0
    assert found.objects == {MOTION_LABELS[0]: len(np.unique(table.features.track_id))}


@pytest.mark.parametrize("head", ["clap", "temporal"])
def test_scenes_are_the_segments_that_a_host_stores(video, stored, head):
    found = watcher(head).watch(video)
    assert np.array_equal(found.values, stored.scene)
    assert np.array_equal(found.frame, stored.scene_end)


def test_a_crowd_is_thinned_evenly(video, monkeypatch):
    every = watcher("density").watch(video)
    monkeypatch.setattr(watching, "MOST_ROWS", 7)
    some = watcher("density").watch(video)
    assert len(some.values) == 7
    assert np.array_equal(some.values[[0, -1]], every.values[[0, -1]])
    assert some.objects == every.objects


def test_a_network_sees_what_it_sees_on_a_host(video, tmp_path):
    backbone = tiny_backbone(tmp_path / "backbone")
    embedding = SceneEmbedding(backbone, Look.of("picture", backbone))
    wanted = [embedding.observe(frame, no_boxes()).values for frame in frames_of(FileSource(video))]
    found = Onlooker(backbone, SAMPLING).look(video)
    assert np.array_equal(found.visual, np.concatenate(wanted))
    assert found.frame.tolist() == [15, 31]


@given(frame=st.lists(st.integers(0, 99), min_size=1).map(sorted), segments=st.integers(1, 6))
def test_a_row_gets_the_segment_in_which_it_ends_or_the_last(frame, segments):
    ends = 16 * np.arange(1, segments + 1) - 1
    views = Views(np.arange(segments, dtype=np.float32)[:, None], ends)
    found = views.at(np.array(frame))[:, 0]
    assert found.tolist() == [min(at // 16, segments - 1) for at in frame]


@pytest.mark.parametrize(("every_s", "most", "count"), [(1.0, 9, 4), (1.0, 3, 2), (60.0, 9, 1)])
def test_pictures_are_taken_at_regular_intervals(video, every_s, most, count):
    found = regular_pictures(video, every_s=every_s, most=most, max_width_px=80)
    assert [picture.shape for picture in found] == [(44, 80, 3)] * count


def test_what_shows_nothing_is_refused(generated, tmp_path):
    with pytest.raises(SourceError, match="too short"):
        watcher("clap", Sampling(1.0, 640)).watch(generated / "train" / "n0.mkv")
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    with pytest.raises(SourceError, match="broken"):
        watcher("clap").watch(tmp_path / "broken.mp4")
