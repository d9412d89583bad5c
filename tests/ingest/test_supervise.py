import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import SourceUnavailableError, SourceUnusableError
from edge.ingest.supervise import Backoff, supervise
from tests.fakes.sources import FakePicture, FakeSource

AT_ONCE = Backoff(first_s=0.0)


def lost(number: int = 0) -> SourceUnavailableError:
    return SourceUnavailableError(f"lost {number}")


class RecordingStop(threading.Event):
    """Notes the pauses instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, timeout=None) -> bool:
        self.pauses.append(timeout)
        return self.is_set()


def test_it_reconnects_also_when_the_first_connection_fails() -> None:
    source = FakeSource([[lost(1)], [FakePicture(0.0), lost(2)], [FakePicture(1.0)]])
    failures: list[str] = []
    pictures = supervise(
        source,
        stop=threading.Event(),
        on_lost=lambda error: failures.append(str(error)),
        backoff=AT_ONCE,
    )
    assert [picture.media_s for picture in pictures] == [0.0, 1.0]
    assert failures == ["lost 1", "lost 2"]
    assert source.opened == source.closed == 3


def test_footage_that_ends_is_not_opened_again() -> None:
    source = FakeSource([[FakePicture(0.0)], [FakePicture(1.0)]])
    pictures = supervise(source, stop=threading.Event(), on_lost=lambda _: None, backoff=AT_ONCE)
    assert len(list(pictures)) == 1
    assert source.opened == 1


def test_an_unusable_source_is_not_retried() -> None:
    source = FakeSource([[SourceUnusableError("no such file")]])
    pictures = supervise(source, stop=threading.Event(), on_lost=lambda _: None, backoff=AT_ONCE)
    with pytest.raises(SourceUnusableError):
        next(pictures)


def test_pauses_double_and_start_anew_after_a_healthy_connection() -> None:
    healthy = [FakePicture(0.0, received_s=100.0), FakePicture(1.0, received_s=111.0), lost()]
    flaky = [FakePicture(0.0, received_s=100.0), FakePicture(1.0, received_s=101.0), lost()]
    source = FakeSource([[lost()], [lost()], flaky, healthy, [lost()], [FakePicture(0.0)]])
    stop = RecordingStop()
    backoff = Backoff(first_s=1.0, longest_s=60.0, jitter=0.0)
    list(supervise(source, stop=stop, on_lost=lambda _: None, backoff=backoff))
    assert stop.pauses == [1, 2, 4, 1, 2]


def test_stop_ends_it_without_another_attempt() -> None:
    stop = threading.Event()
    source = FakeSource([[lost()]] * 3)
    list(supervise(source, stop=stop, on_lost=lambda _: stop.set(), backoff=Backoff(first_s=60.0)))
    assert source.opened == 1


def test_closing_it_closes_the_connection() -> None:
    source = FakeSource([[FakePicture(0.0), FakePicture(1.0)]])
    pictures = supervise(source, stop=threading.Event(), on_lost=lambda _: None, backoff=AT_ONCE)
    next(pictures)
    pictures.close()
    assert source.closed == 1


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_pauses_stay_within_their_bounds(failures: int, chance: float) -> None:
    backoff = Backoff()
    pause_s = backoff.pause_s(failures, chance)
    assert backoff.first_s * (1 - backoff.jitter) <= pause_s <= backoff.longest_s
