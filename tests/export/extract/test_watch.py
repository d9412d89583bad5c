from pathlib import Path

import numpy as np
import pytest

from edge.config import CameraSection, DetectorSection
from edge.errors import ConfigError, SourceError
from edge.evaluation.synthetic import write_video
from edge.ingest.synthetic import Street, StreetOptions
from edge.model.artifact import Sampling
from export.arguments.common import HOST
from export.extract.watch import BEGIN_CONFIDENCE, Viewing, Watch
from tests.perception.conftest import build_network  # noqa: F401  # a fixture


@pytest.fixture(scope="module")
def fast(tmp_path_factory) -> Path:
    """Two seconds of 20 Hz."""
    path = tmp_path_factory.mktemp("fast") / "v.mkv"
    options = StreetOptions(width_px=96, height_px=64, fps=20.0, duration_s=2.0)
    write_video(path, Street(options), rate_hz=20.0)
    return path


def test_frames_know_their_number_in_the_video(fast):
    watch = Watch(fast, Viewing(analysis_hz=5.0), detector=None)
    assert [seen.number for seen in watch] == list(range(0, 40, 4))
    assert watch.pictures == 40


def test_slower_footage_than_the_analysis_is_seen_whole(fast):
    watch = Watch(fast, Viewing(analysis_hz=25.0), detector=None, follow=False)
    seen = list(watch)
    assert [each.number for each in seen] == list(range(40))
    assert {each.percept for each in seen} == {None}


def test_frames_are_scaled_down_and_never_up(fast):
    def width(viewing):
        return next(iter(Watch(fast, viewing, detector=None))).frame.width

    assert width(Viewing(max_width_px=64)) == 64
    assert width(Viewing()) == 96


def test_each_pass_sees_the_same(fast):
    def boxes():
        watch = Watch(fast, Viewing(), detector=None)
        return [seen.percept.tracks.boxes_xyxy for seen in watch]

    assert all(np.array_equal(a, b) for a, b in zip(boxes(), boxes(), strict=True))


def test_footage_is_seen_as_on_a_host():
    assert DetectorSection().min_confidence == BEGIN_CONFIDENCE
    camera = CameraSection(source="street.mkv")
    assert Viewing().sampling == Sampling(camera.analysis_hz, camera.max_width)
    assert (camera.analysis_hz, camera.max_width) == HOST


def test_what_a_detector_finds_is_followed(fast, build_network):  # noqa: F811  # the fixture
    boxes = np.zeros((300, 6), np.float32)
    boxes[0] = [8, 8, 24, 40, 0.9, 0]
    labels = {"names": "{0: 'person'}", "task": "detect"}
    path = build_network(boxes, canvas=(96, 64), metadata=labels)
    viewing = Viewing(detector=path)
    seen = list(Watch(fast, viewing, detector=viewing.load_detector()))
    assert np.allclose(seen[-1].percept.tracks.boxes_xyxy, [[8, 8, 24, 40]], atol=1)


def test_labels_without_a_detector_are_refused():
    with pytest.raises(ConfigError, match="--labels goes with --detector"):
        Viewing(labels=Path("coco.txt"))


def test_what_is_no_video_is_an_error_of_the_source(tmp_path):
    (tmp_path / "v.mkv").write_bytes(b"no video")
    with pytest.raises(SourceError):
        list(Watch(tmp_path / "v.mkv", Viewing(), detector=None))
