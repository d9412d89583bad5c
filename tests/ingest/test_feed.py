import logging

import numpy as np
import pytest

from edge.errors import SourceUnavailableError, SourceUnusableError
from edge.ingest.feed import CameraFeed, read_frames
from edge.ingest.health import State
from edge.ingest.latest import Mailroom
from edge.ingest.masks import PrivacyMasks
from edge.ingest.supervise import Backoff
from tests.fakes.sources import FakePicture, FakeSource, grey_planes, noise_planes

LEFT_HALF = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]


def moving(count: int, rate_hz: float = 10, start_s: float = 1000.0) -> list[FakePicture]:
    times = np.arange(count) / rate_hz
    return [
        FakePicture(float(time_s), received_s=start_s + float(time_s), planes=noise_planes(number))
        for number, time_s in enumerate(times)
    ]


def footage(connections) -> FakeSource:
    """Its times come from the script, not from the wall clock."""
    return FakeSource(connections, live=False)


def run(source: FakeSource, **options):
    """A feed that has read its source to the end."""
    room = Mailroom()
    feed = CameraFeed(source, room.add(), camera="door", backoff=Backoff(first_s=0.0), **options)
    feed.start()
    feed._thread.join(10)
    return feed.snapshot(), room


def test_every_picture_is_accounted_for() -> None:
    pictures = moving(40)
    source = footage([pictures])
    source.corrupt = 2
    shown, room = run(source, analysis_hz=5)
    assert (shown.decoded, shown.due, shown.corrupt, shown.ended) == (40, 20, 2, True)
    assert shown.due == shown.delivered + shown.unhealthy
    assert shown.unhealthy == 2  # a camera proves itself with three good frames
    taken = room.take(limit=9, timeout_s=0)
    assert shown.delivered == shown.unread + len(taken)
    assert shown.due_hz == pytest.approx(5, rel=0.2) or shown.due_hz == 0


def test_pictures_that_are_not_analysed_are_never_converted() -> None:
    pictures = moving(40)
    run(footage([pictures]), analysis_hz=5)
    assert [picture.converted for picture in pictures] == [1, 0] * 20


def test_a_covered_camera_delivers_nothing_until_it_recovers() -> None:
    pictures = moving(160)
    for picture in pictures[20:140]:
        picture._planes = grey_planes(16)
    shown, _ = run(footage([pictures]))
    withheld = 160 - shown.delivered
    assert 60 < withheld < 80  # the first five dark seconds pass: nobody knows yet


def test_a_lost_connection_is_counted_explained_and_survived() -> None:
    error = SourceUnavailableError("rtsp://u:***@cam was lost")
    source = footage([[error], [*moving(10), error], moving(10)])
    shown, room = run(source)
    assert (shown.reconnects, shown.decoded) == (2, 20)
    assert len(room.take(limit=1, timeout_s=0)) == 1
    assert shown.error is None  # recovered


def test_an_unusable_source_ends_the_feed_and_says_why(caplog) -> None:
    with caplog.at_level(logging.ERROR):
        shown, _ = run(footage([[SourceUnusableError("a.mkv is no file: check the path")]]))
    assert (shown.ended, shown.state) == (True, State.OFFLINE)
    assert shown.error == "a.mkv is no file: check the path"
    assert "door" in caplog.text


def test_an_internal_error_stops_its_own_camera_only(caplog) -> None:
    broken = run(footage([[*moving(5), ZeroDivisionError("secret")]]))[0]
    assert (broken.ended, broken.state) == (True, State.OFFLINE)
    assert broken.error == "internal error: ZeroDivisionError"
    assert "camera door stopped" in caplog.text
    assert run(footage([moving(5)]))[0].error is None


def test_a_connection_that_hangs_is_shown_as_offline() -> None:
    room = Mailroom()
    feed = CameraFeed(footage([]), room.add(), camera="door")
    for picture in moving(5):  # received long ago
        feed._take(picture)
    assert feed._health.state is State.ONLINE
    feed._counters.last_picture_s -= 1e6
    assert feed.snapshot().state is State.OFFLINE


def test_stop_is_obeyed_in_the_middle_of_a_pause() -> None:
    room = Mailroom()
    source = FakeSource([[SourceUnavailableError("away")]] * 9)
    feed = CameraFeed(source, room.add(), camera="door", backoff=Backoff(first_s=600.0))
    feed.start()
    feed.stop(timeout_s=10)
    assert feed.snapshot().ended


def test_footage_is_read_whole_masked_and_numbered() -> None:
    source = footage([moving(30)])
    masks = PrivacyMasks([LEFT_HALF])
    frames = list(read_frames(source, camera="a", analysis_hz=5, masks=masks, start_s=50.0))
    assert [frame.index for frame in frames] == list(range(15))
    assert np.allclose([frame.time_s for frame in frames], 50 + np.arange(15) / 5)
    assert all((frame.luma[:, :32] == 16).all() for frame in frames)
    assert any((frame.luma[:, 40:] != 16).any() for frame in frames)
    assert source.closed == 1


def test_reading_part_of_the_footage_closes_it() -> None:
    source = footage([moving(30)])
    frames = read_frames(source, camera="a")
    next(iter(frames))
    frames.close()
    assert source.closed == 1


def test_the_mask_comes_before_health_and_delivery() -> None:
    pictures = moving(80)
    for picture in pictures:
        picture._planes[:48, 32:] = 16  # only the masked half shows anything
    shown, room = run(footage([pictures]), masks=PrivacyMasks([LEFT_HALF]))
    assert room.take(limit=1, timeout_s=0)[0].luma.max() == 16
    assert shown.unhealthy > 20  # covered after five seconds
