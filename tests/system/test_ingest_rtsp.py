"""The real path: RTSP servers that serve, die, hang, refuse, and come back."""

import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from edge.errors import SourceUnavailableError
from edge.ingest.feed import CameraFeed
from edge.ingest.health import State
from edge.ingest.latest import Mailroom
from edge.ingest.open import open_source, probe
from edge.ingest.supervise import Backoff

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]

SERVER = Path(__file__).with_name("rtsp_server.py")
SYSTEM_PYTHON = "/usr/bin/python3"
RATE_HZ = 10
QUICK = Backoff(first_s=0.2, longest_s=1.0)


@pytest.fixture(scope="module", autouse=True)
def gstreamer() -> None:
    code = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if not shutil.which(SYSTEM_PYTHON) or subprocess.call(
        [SYSTEM_PYTHON, "-c", code], stderr=subprocess.DEVNULL
    ):
        pytest.skip("no GStreamer RTSP server: apt install gir1.2-gst-rtsp-server-1.0 python3-gi")


def encode_noise(path: Path, codec: str) -> Path:
    """Five seconds that no health check finds fault with."""
    rng = np.random.default_rng(0)
    scene = rng.integers(20, 230, (45, 80)).repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE_HZ)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.options = {"bf": "0", "g": "10", "preset": "ultrafast"}
        stream.thread_count = 1  # one slice per picture
        for _ in range(50):
            noisy = np.clip(scene + rng.normal(0, 4, scene.shape), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(noisy, format="gray").reformat(format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def h264(tmp_path_factory) -> Path:
    return encode_noise(tmp_path_factory.mktemp("h264") / "clip.mkv", "libx264")


@pytest.fixture(scope="module")
def h265(tmp_path_factory) -> Path:
    return encode_noise(tmp_path_factory.mktemp("h265") / "clip.mkv", "libx265")


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def serve(port: int) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start servers on the port; all that still live are killed in the end."""
    servers: list[subprocess.Popen] = []

    def start(file: Path, *options: str) -> subprocess.Popen:
        command = [SYSTEM_PYTHON, str(SERVER), "--file", str(file), "--port", str(port), *options]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        return server

    yield start
    for server in servers:
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.fixture
def watch(port: int) -> Iterator[Callable[..., tuple[CameraFeed, Mailroom]]]:
    """Start a feed on the port's stream; it is stopped in the end."""
    feeds: list[CameraFeed] = []

    def start(login: str = "", **options) -> tuple[CameraFeed, Mailroom]:
        room = Mailroom()
        source = open_source("rtsp", f"rtsp://{login}127.0.0.1:{port}/stream", **options)
        feed = CameraFeed(source, room.add(), camera="door", analysis_hz=5, backoff=QUICK)
        feeds.append(feed)
        feed.start()
        return feed, room

    yield start
    for feed in feeds:
        feed.stop(timeout_s=10)


def wait_until(condition: Callable[[], bool], limit_s: float) -> float:
    """Seconds until it holds; fails when it takes longer than the limit."""
    start_s = time.monotonic()
    while not condition():
        if time.monotonic() - start_s > limit_s:
            pytest.fail(f"not within {limit_s} s")
        time.sleep(0.02)
    return time.monotonic() - start_s


def is_state(feed: CameraFeed, state: State) -> Callable[[], bool]:
    return lambda: feed.snapshot().state is state


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_h264_arrives(serve, watch, h264, transport) -> None:
    serve(h264)
    feed, room = watch(transport=transport)
    wait_until(is_state(feed, State.ONLINE), 10)
    times = [room.take(limit=1, timeout_s=5)[0].time_s for _ in range(15)]
    assert np.median(np.diff(times)) == pytest.approx(0.2, abs=0.03)
    assert abs(times[-1] - time.time()) < 2
    assert feed.snapshot().corrupt == 0


def test_h265_arrives(serve, watch, h265) -> None:
    serve(h265)
    feed, room = watch()
    wait_until(is_state(feed, State.ONLINE), 10)
    frame = room.take(limit=1, timeout_s=5)[0]
    assert (frame.width, frame.height) == (640, 360)


def test_probe_tells_what_the_camera_sends(serve, port, h264) -> None:
    serve(h264)
    info = probe(open_source("rtsp", f"rtsp://127.0.0.1:{port}/stream"))
    assert (info.width, info.height, info.codec) == (640, 360, "h264")


def test_a_killed_server_is_noticed_and_its_return_too(serve, watch, h264) -> None:
    server = serve(h264)
    feed, room = watch()
    wait_until(is_state(feed, State.ONLINE), 10)
    server.kill()
    assert wait_until(is_state(feed, State.OFFLINE), 10) < 5
    room.take(limit=1, timeout_s=0)
    serve(h264)
    wait_until(is_state(feed, State.ONLINE), 15)
    assert room.take(limit=1, timeout_s=5)
    assert feed.snapshot().reconnects >= 1


def test_a_server_that_hangs_is_noticed_within_ten_seconds(serve, watch, h264) -> None:
    server = serve(h264)
    feed, _ = watch()
    wait_until(is_state(feed, State.ONLINE), 10)
    os.kill(server.pid, signal.SIGSTOP)
    wait_until(is_state(feed, State.OFFLINE), 10)
    os.kill(server.pid, signal.SIGCONT)
    wait_until(is_state(feed, State.ONLINE), 15)


def test_a_first_connection_that_fails_is_tried_again(serve, watch, h264) -> None:
    feed, room = watch()
    wait_until(lambda: feed.snapshot().reconnects >= 2, 10)
    assert "Connection refused" in str(feed.snapshot().error)
    serve(h264)
    assert room.take(limit=1, timeout_s=15)


def test_a_slow_reader_never_lags(serve, watch, h264) -> None:
    serve(h264)
    feed, room = watch()
    wait_until(is_state(feed, State.ONLINE), 10)
    ages = []
    for _ in range(10):
        time.sleep(1.0)  # five due frames pass
        frame = room.take(limit=1, timeout_s=5)[0]
        ages.append(time.monotonic() - frame.received_s)
    assert max(ages) < 1.0
    assert feed.snapshot().unread >= 30


def test_the_password_opens_the_stream_and_is_never_shown(
    serve, watch, h264, port, caplog, capfd
) -> None:
    serve(h264, "--user", "viewer", "--password", "hunter2")
    with caplog.at_level(logging.DEBUG):
        refused, _ = watch(login="viewer:wr0ng@")
        accepted, _ = watch(login="viewer:hunter2@")
        wait_until(is_state(accepted, State.ONLINE), 10)
        wait_until(lambda: refused.snapshot().reconnects >= 1, 10)
    assert "check user and password" in str(refused.snapshot().error)
    with pytest.raises(SourceUnavailableError) as caught:
        probe(open_source("rtsp", f"rtsp://viewer:wr0ng@127.0.0.1:{port}/stream"))
    shown = caplog.text + "".join(capfd.readouterr()) + repr(refused.snapshot())
    shown += repr(caught.value) + repr(caught.value.__cause__)
    assert "viewer:***@" in shown
    assert "hunter2" not in shown
    assert "wr0ng" not in shown


def test_a_server_that_answers_and_falls_silent_does_not_hold_the_feed(port) -> None:
    ended = threading.Event()

    def answer_once(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: DESCRIBE\r\n\r\n")
            ended.wait(30)

    with socket.create_server(("127.0.0.1", port)) as listener:
        server = threading.Thread(target=answer_once, args=(listener,))
        server.start()
        start_s = time.monotonic()
        with pytest.raises(SourceUnavailableError, match="no answer within"):
            probe(open_source("rtsp", f"rtsp://127.0.0.1:{port}/stream"))
        ended.set()
        assert time.monotonic() - start_s < 10
        server.join()
