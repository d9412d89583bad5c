"""Live latency with and without the learning process beside, alternating in one run.

    python -m tests.benchmarks.learning_latency CLIP [--cameras 4] [--pairs 6] [--seconds 15]

The cameras loop the clip in real time through the whole live path. A ``vad-edge learn`` with the
very priority that ``run`` gives it trains without end on what such cameras stored; between the
phases it is stopped and continued by signals, so that both kinds of phases see the same minutes of
the machine. Latency is capture to score, of all frames of all cameras. Bar: p99 at most 1.2 times.
"""

import argparse
import io
import json
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from edge.apprentice import polite_command
from edge.compose import make_store, model_path
from edge.config import EdgeConfig, load_config
from edge.scoring.store import save_camera_model
from edge.serve import Host
from tests.fakes.past import watched

WARM_UP_S = 10.0
SETTLE_S = 1.0  # after a signal, before frames count
WATCHED_S = 150.0
STARTED_S = 60.0  # within which the learner must have begun to train
BAR = 1.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--analysis-hz", type=float, default=5.0)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each phase")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = configured(options, Path(folder))
        config = load_config(path, {})
        watch_before(config)
        alone_ms, beside_ms = measure(config, path, options)
    print(json.dumps(figures(alone_ms, beside_ms), indent=1))


def configured(options: argparse.Namespace, folder: Path) -> Path:
    camera = {
        "source": str(options.clip.resolve()),
        "loop": True,
        "analysis_hz": options.analysis_hz,
    }
    path = folder / "edge.yaml"
    values = {
        "host": "bench",
        "data_dir": str(folder / "data"),
        "mqtt": {"enabled": False},
        "learning": {"student": {"steps": 10**7}},  # it never ends by itself
        "cameras": {f"c{number}": camera for number in range(options.cameras)},
    }
    path.write_text(yaml.safe_dump(values))
    return path


def watch_before(config: EdgeConfig) -> None:
    """What one camera stored, and the model that all of them go by; made unpaced."""
    store = make_store(config)
    assert store is not None
    store.start()
    model = watched(config, next(iter(config.cameras)), store, seconds=WATCHED_S)
    for each in config.cameras:
        save_camera_model(model_path(config, each), replace(model, camera=each))
    store.close()


def measure(
    config: EdgeConfig, path: Path, options: argparse.Namespace
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    stop = threading.Event()
    host = Host(config, events=io.StringIO())
    running = threading.Thread(target=host.run, args=(stop,))
    learner = subprocess.Popen(polite_command("learn", "-c", str(path)), stdout=subprocess.DEVNULL)
    running.start()
    try:
        wait_for_training(config, learner)
        time.sleep(WARM_UP_S)
        alone, beside = [], []
        for number in range(2 * options.pairs):
            trains = number % 2 == number // 2 % 2  # ABBA: a drift favours neither
            learner.send_signal(signal.SIGCONT if trains else signal.SIGSTOP)
            (beside if trains else alone).append(phase(host, options.seconds))
            assert learner.poll() is None, "the learner has ended"
        return alone, beside
    finally:
        learner.kill()
        learner.wait()
        stop.set()
        running.join()


def wait_for_training(config: EdgeConfig, learner: subprocess.Popen[bytes]) -> None:
    """Until its first checkpoint is there."""
    checkpoint = config.data_dir / "learning" / "session" / "stage-0.safetensors"
    deadline_s = time.monotonic() + STARTED_S
    while not checkpoint.exists():
        assert time.monotonic() < deadline_s, "the learner does not begin to train"
        assert learner.poll() is None, "the learner has ended"
        time.sleep(0.2)


def phase(host: Host, seconds: float) -> np.ndarray:
    """Latencies of all cameras, ms."""
    time.sleep(SETTLE_S)
    for post in host.posts.values():
        post.tally.latencies.clear()
    time.sleep(seconds)
    return np.concatenate([post.tally.latencies.noted_ms() for post in host.posts.values()])


def figures(alone: list[np.ndarray], beside: list[np.ndarray]) -> dict[str, object]:
    ratios = [
        float(np.percentile(b, 99) / np.percentile(a, 99))
        for a, b in zip(alone, beside, strict=True)
    ]
    quantiles = {
        name: dict(
            zip(("p50", "p99"), np.percentile(np.concatenate(ms), (50, 99)).tolist(), strict=True)
        )
        for name, ms in (("alone_ms", alone), ("beside_ms", beside))
    }
    p99 = [quantiles[name]["p99"] for name in ("alone_ms", "beside_ms")]
    return {
        **quantiles,
        "frames": sum(map(len, alone)),
        "p99_ratio": p99[1] / p99[0],
        "p99_ratio_of_pairs": ratios,
        "median_ratio": float(np.median(ratios)),
        "within_bar": p99[1] / p99[0] <= BAR,
    }


if __name__ == "__main__":
    main()
