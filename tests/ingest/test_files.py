import threading

import cv2
import numpy as np
import pytest

from edge.errors import SourceUnavailableError, SourceUnusableError
from edge.ingest.feed import read_frames
from edge.ingest.file import FileSource
from edge.ingest.images import ImagesSource
from edge.ingest.open import open_source, probe
from edge.ingest.source import SourceInfo

GO = threading.Event()


class HurriedStop(threading.Event):
    """Notes how long was waited for instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.waits_s: list[float] = []

    def wait(self, timeout=None) -> bool:
        self.waits_s.append(timeout)
        return False


@pytest.mark.parametrize(("codec", "name"), [("libx264", "h264"), ("libx265", "hevc")])
def test_probe_tells_what_a_file_holds(make_clip, codec: str, name: str) -> None:
    path = make_clip(codec=codec)
    assert probe(open_source("file", str(path))) == SourceInfo(64, 48, 10.0, name)


def test_a_file_gives_every_picture_with_its_time(make_clip) -> None:
    frames = list(read_frames(FileSource(make_clip(frames=20)), camera="a"))
    assert np.allclose([frame.time_s for frame in frames], np.arange(20) / 10, atol=2e-3)
    bright = [int((frame.luma[16] > 180).argmax()) for frame in frames]
    assert np.abs(np.array(bright) - np.arange(20)).max() <= 1  # in order, none missing


def test_a_bare_stream_without_times_still_advances(make_clip) -> None:
    frames = list(read_frames(FileSource(make_clip("clip.h264", frames=20)), camera="a"))
    assert len(frames) == 20
    assert (np.diff([frame.time_s for frame in frames]) > 0).all()


def test_paced_footage_waits_for_its_time(make_clip) -> None:
    stop = HurriedStop()
    pictures = list(FileSource(make_clip(frames=10), paced=True).pictures(stop))
    assert len(pictures) == 10
    assert len(stop.waits_s) == 9
    assert all(0 < wait_s <= 1.0 for wait_s in stop.waits_s)
    assert stop.waits_s[-1] > 0.5  # nobody waited: the last is due 0.9 s after the first


def test_a_looped_file_starts_again(make_clip) -> None:
    stop = threading.Event()
    pictures = FileSource(make_clip(frames=5), loop=True).pictures(stop)
    times = [next(pictures).media_s for _ in range(12)]
    assert times[:5] == times[5:10]
    stop.set()
    assert list(pictures) == []


def test_damage_is_counted_and_survived(make_clip) -> None:
    path = make_clip(frames=60, size=(320, 240))
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for start in rng.integers(2000, len(data) - 40, 30):
        data[start : start + 8] = rng.bytes(8)
    path.write_bytes(data)
    source = FileSource(path)
    pictures = list(source.pictures(GO))
    assert source.corrupt > 0
    assert 0 < len(pictures) < 60


@pytest.mark.parametrize(
    ("content", "message"), [(None, "is no file"), (b"", "cannot be read"), (b"x" * 9999, "cannot")]
)
def test_what_is_no_video_is_unusable(tmp_path, content, message: str) -> None:
    path = tmp_path / "clip.mkv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceUnusableError, match=message):
        probe(FileSource(path, loop=True))


def test_images_are_read_in_natural_order(tmp_path) -> None:
    for number in (10, 9, 100):
        cv2.imwrite(str(tmp_path / f"f{number}.png"), np.full((48, 64, 3), number, np.uint8))
    (tmp_path / "f11.png").write_bytes(b"no image")
    (tmp_path / "notes.txt").write_text("not a picture")
    source = ImagesSource(tmp_path, rate_hz=4)
    frames = list(read_frames(source, camera="a"))
    luma = [int(frame.luma[0, 0]) for frame in frames]
    assert luma == sorted(luma)
    assert np.allclose([frame.time_s for frame in frames], [0, 0.25, 0.75])
    assert source.corrupt == 1
    assert source.info == SourceInfo(64, 48, 4, "images")


def test_a_folder_without_images_is_unusable(tmp_path) -> None:
    with pytest.raises(SourceUnusableError, match="no images"):
        probe(open_source("images", str(tmp_path)))
    with pytest.raises(SourceUnusableError, match="no folder"):
        probe(open_source("images", str(tmp_path / "none")))
    with pytest.raises(SourceUnusableError, match="above 0"):
        open_source("images", str(tmp_path), rate_hz=0)


def test_an_absent_webcam_may_still_be_plugged_in() -> None:
    with pytest.raises(SourceUnavailableError, match="no camera at /dev/video97"):
        probe(open_source("webcam", "97"))


@pytest.mark.parametrize(
    "url", ["http://u:hunter2@cam/s", "rtsp://u:hunter2@cam:port/s", "rtsp://", "u:hunter2@cam"]
)
def test_what_is_no_rtsp_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(SourceUnusableError, match="is no RTSP address") as caught:
        open_source("rtsp", url)
    assert "hunter2" not in str(caught.value)


def test_grey_lossless_footage_is_read_bit_exactly(vad_data) -> None:
    path = vad_data / "data" / "ped2" / "video" / "test" / "01.mkv"
    frames = list(read_frames(FileSource(path), camera="a"))
    video = cv2.VideoCapture(str(path))
    for frame in frames:
        assert np.array_equal(frame.luma, video.read()[1][..., 0])
    assert not video.read()[0]
