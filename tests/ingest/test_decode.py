import threading
import time
import wave

import av
import pytest

from edge.errors import SourceUnavailableError
from edge.ingest.decode import DecodedCamera


class Camera(DecodedCamera):
    """A camera that shows a file."""

    def __init__(self, path):
        super().__init__("camera", live=True)
        self._path = path

    def open(self):
        return av.open(str(self._path))

    def lost(self, error):
        return "it is gone" if error is None else "it failed"


def test_a_camera_whose_stream_ends_was_lost(make_clip):
    pictures = Camera(make_clip(frames=3)).pictures(threading.Event())
    assert [next(pictures).media_s is not None for _ in range(3)] == [True] * 3
    with pytest.raises(SourceUnavailableError, match="camera was lost: it is gone"):
        next(pictures)


def test_a_camera_that_was_told_to_stop_was_not_lost(make_clip):
    stop = threading.Event()
    stop.set()
    list(Camera(make_clip(frames=3)).pictures(stop))


def test_a_reader_that_takes_its_time_is_no_silent_camera(make_clip, monkeypatch):
    pictures = Camera(make_clip(frames=3)).pictures(threading.Event())
    read = [next(pictures)]
    now_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    for _ in range(2):
        now_s += 3600.0
        read.append(next(pictures))
    assert len(read) == 3


def test_an_error_is_told_in_the_cameras_words_and_not_chained(make_clip, monkeypatch):
    def fail(self, container, stop):
        raise av.error.InvalidDataError(1, "rtsp://u:hunter2@camera")
        yield

    monkeypatch.setattr(Camera, "decode", fail)
    with pytest.raises(SourceUnavailableError, match="camera was lost: it failed") as caught:
        next(Camera(make_clip(frames=3)).pictures(threading.Event()))
    assert caught.value.__suppress_context__


def test_a_camera_without_video_may_still_be_booting(tmp_path):
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    with pytest.raises(SourceUnavailableError, match="no video that can be decoded"):
        next(Camera(path).pictures(threading.Event()))
