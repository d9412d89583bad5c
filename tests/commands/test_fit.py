import cv2
import numpy as np
import pytest

from edge.analysis import SPECS
from edge.commands import fit
from edge.config import CameraSection
from edge.errors import SourceUnavailableError
from edge.ingest.feed import CameraFeed
from edge.ingest.supervise import Backoff
from edge.scoring.store import load_camera_model
from tests.fakes.sources import FakePicture, FakeSource, noise_planes

FIGURES = {
    "camera", "footage_s", "alarms_per_day", "threshold", "threshold_low", "threshold_high",
    "peaks", "path",
}  # fmt: skip


@pytest.fixture
def walkers(tmp_path):
    """Ten seconds of a dark shape that crosses a textured picture, three times over."""
    path = tmp_path / "walkers.avi"
    ground = np.random.default_rng(0).integers(90, 200, (9, 16), dtype=np.uint8)
    ground = cv2.resize(ground, (320, 180), interpolation=cv2.INTER_CUBIC)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (320, 180))
    for number in range(300):
        picture = ground.copy()
        x = 6 * number % 340
        picture[90:150, max(x - 20, 0) : max(x, 1)] = 20
        video.write(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    video.release()
    return path


def test_it_learns_from_footage_and_says_what_the_threshold_rests_on(shell, walkers):
    config = shell.street()
    code, figures = shell.json(
        "fit", "-c", config, "--camera", "street", "--footage", walkers, walkers
    )
    assert code == 0
    assert set(figures) == FIGURES
    assert figures["footage_s"] == pytest.approx(60, abs=2)
    assert figures["threshold_low"] <= figures["threshold"] <= figures["threshold_high"]
    path = shell.folder / "data" / "cameras" / "street.safetensors"
    assert figures["path"] == str(path)
    assert load_camera_model(path, SPECS).threshold == pytest.approx(figures["threshold"])


def test_it_stops_after_so_many_seconds(shell, walkers):
    arguments = ("--camera", "street", "--footage", walkers, "--seconds", 20)
    _, figures = shell.json("fit", "-c", shell.street(), *arguments)
    assert figures["footage_s"] == pytest.approx(20, abs=1)


def test_it_learns_from_the_cameras_own_source(shell):
    code, out, _ = shell.run("fit", "-c", shell.street(seconds=60), "--camera", "street")
    assert code == 0
    assert "camera street: threshold" in out
    assert "restart vad-edge run" in out


def test_too_little_footage_fails_and_leaves_what_was_learnt(shell):
    model = shell.folder / "data" / "cameras" / "street.safetensors"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"learnt before")
    code, out, err = shell.run("fit", "-c", shell.street(seconds=2), "--camera", "street")
    assert (code, out) == (1, "")
    assert "learn from more footage" in err
    assert model.read_bytes() == b"learnt before"


def test_an_unknown_camera_is_a_mistake_that_names_the_known(shell):
    code, _, err = shell.run("fit", "-c", shell.street(), "--camera", "yard")
    assert code == 2
    assert "no camera 'yard'; it has: street" in err


def test_missing_footage_is_named(shell):
    code, _, err = shell.run(
        "fit", "-c", shell.street(), "--camera", "street", "--footage", "gone.mkv"
    )
    assert code == 2
    assert "gone.mkv is no file" in err


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "nan", "soon"])
def test_an_impossible_duration_is_refused(shell, seconds):
    with pytest.raises(SystemExit) as stopped:
        shell.run("fit", "-c", "x", "--camera", "a", "--seconds", seconds)
    assert stopped.value.code == 2


def test_a_live_camera_that_is_lost_is_waited_for(monkeypatch):
    good = [FakePicture(number / 5, planes=noise_planes(number)) for number in range(4)]
    source = FakeSource([[SourceUnavailableError("not yet there")], good])
    monkeypatch.setattr("edge.compose.make_source", lambda camera: source)
    monkeypatch.setattr(Backoff, "pause_s", lambda *_: 0.0)
    frames = fit._stream("door", CameraSection(source="rtsp://cam/1"))
    with pytest.raises(SourceUnavailableError, match="camera door: its footage has ended"):
        assert all(frame.camera == "door" for frame in frames)
    assert source.opened == 2


@pytest.fixture
def dead_camera(monkeypatch):
    """A camera that is never reached, however often it is tried."""
    source = FakeSource([[SourceUnavailableError("no answer")]] * 10_000)
    monkeypatch.setattr("edge.compose.make_source", lambda camera: source)
    monkeypatch.setattr(Backoff, "pause_s", lambda *_: 0.01)
    return CameraSection(source="rtsp://cam/1")


def test_a_camera_that_never_answers_is_given_up(dead_camera):
    with pytest.raises(SourceUnavailableError, match="camera door: nothing in 0 s: no answer"):
        next(fit._stream("door", dead_camera, patience_s=0.1))


def test_waiting_for_a_camera_can_be_interrupted(shell, dead_camera, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    stopped = []
    monkeypatch.setattr(fit.Mailroom, "take", interrupt)
    monkeypatch.setattr(
        CameraFeed, "stop", lambda feed, stop=CameraFeed.stop: stopped.append(stop(feed))
    )
    config = shell.config("host: h\ncameras: {door: {source: 'rtsp://cam/1'}}\n")
    assert shell.run("fit", "-c", config, "--camera", "door")[0] == 130
    assert stopped
