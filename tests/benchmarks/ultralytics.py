"""Frames per second beside Ultralytics' ``track``: same clip, same weights, CPU, in turn.

``python -m tests.benchmarks.ultralytics CLIP MODEL.onnx [--peer-python PYTHON]
[--small NANO.onnx --small-labels NAMES]`` prints JSON. Each figure is a process of its own, and
they take turns, so that neither starves the other; the best of some rounds counts. Both decode the
clip and follow what they find; the clock runs from the second frame to the last.

Ultralytics runs its network on every frame. Here it runs where something moves, so ``ours`` is
measured twice: as it comes, and on every frame. What a network costs does not depend on what it
finds, but how often it looks does: weights that find nothing leave motion unexplained, and nothing
to follow. A model that does find people, named with ``--small``, therefore tells on which share of
the frames the network looks, and ``at_real_share`` is the rate that MODEL would reach on that
share, from measured costs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONFIDENCE = 0.25  # from which on a detection begins a track, the default of both
OFFLINE = {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0"}  # to be set before it is imported
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def timed(frames: Iterator[Any], most: int | None) -> dict[str, float]:
    """Rate from the second frame on, the first one carries the start-up."""
    next(frames)
    frames = itertools.islice(frames, most)
    begun, used, count = time.perf_counter(), time.process_time(), 0
    for _ in frames:
        count += 1
    wall_s, cpu_s = time.perf_counter() - begun, time.process_time() - used
    return {"fps": count / wall_s, "cpu_ms": 1e3 * cpu_s / count}


def ours(options: argparse.Namespace) -> dict[str, float]:
    """Decode, detect where gated, follow."""
    import cv2

    from edge.ingest.feed import read_frames
    from edge.ingest.open import open_source
    from edge.perception.gate import GateSettings
    from edge.perception.network import Network
    from edge.perception.perception import Perception
    from edge.perception.tracker import TrackerSettings

    cv2.setNumThreads(1)
    every = GateSettings(refresh_s=0.0, keep_alive_s=0.0, pause_s=0.0)
    perception = Perception(
        Network(options.model, labels=options.labels),
        tracking=TrackerSettings.beginning_at(CONFIDENCE),
        gating=every if options.every_frame else None,
    )
    looks: list[bool] = []

    def percepts() -> Iterator[None]:
        for frame in read_frames(open_source("file", str(options.clip)), camera="bench"):
            (percept,) = perception.observe([frame])
            looks.append(percept.motion.network_ran)
            yield

    figures = timed(percepts(), options.frames)
    return {**figures, "network_share": sum(looks[1:]) / max(len(looks) - 1, 1)}


def theirs(options: argparse.Namespace) -> dict[str, float]:
    """Ultralytics as its manual has it, on the CPU."""
    for name, value in OFFLINE.items():
        os.environ.setdefault(name, value)
    from ultralytics import YOLO

    if options.threads:
        _limit_threads(options.threads)
    model = YOLO(str(options.model), task="detect")
    results = model.track(str(options.clip), stream=True, device="cpu", verbose=False, save=False)
    return timed(iter(results), options.frames)


def _limit_threads(count: int) -> None:
    """Its ONNX Runtime sessions, torch and OpenCV on so many threads."""
    import cv2
    import onnxruntime
    import torch

    class Session(onnxruntime.InferenceSession):
        def __init__(self, path: Any, sess_options: Any = None, **others: Any) -> None:
            chosen = sess_options or onnxruntime.SessionOptions()
            chosen.intra_op_num_threads = count
            super().__init__(path, chosen, **others)

    onnxruntime.InferenceSession = Session
    torch.set_num_threads(count)
    cv2.setNumThreads(count)


def child(python: str, role: str, options: argparse.Namespace, **flags: Any) -> dict[str, float]:
    """Measure in a process of its own."""
    settings = {
        "clip": options.clip,
        "model": options.model,
        "frames": options.frames,
        **flags,
    }
    command = [python, "-m", "tests.benchmarks.ultralytics", "--role", role]
    command += [str(settings.pop("clip")), str(settings.pop("model"))]
    for name, value in settings.items():
        if value is not None and value is not False:
            command += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    environment = dict(os.environ)
    for name in THREAD_VARIABLES:
        environment.pop(name, None)
        if settings.get("threads"):
            environment[name] = str(settings["threads"])
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def best(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The fastest round: what disturbs a measurement only slows it down."""
    return max(rounds, key=lambda figures: figures["fps"])


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """All figures, round by round so that a busy machine disturbs all alike."""
    runs: dict[str, tuple[str, str, dict[str, Any]]] = {
        "ultralytics": (options.peer_python, "theirs", {}),
        "ultralytics_1_thread": (options.peer_python, "theirs", {"threads": 1}),
        "ours": (sys.executable, "ours", {"labels": options.labels}),
        "ours_every_frame": (
            sys.executable,
            "ours",
            {"labels": options.labels, "every_frame": True},
        ),
    }
    if options.small:
        small = {"model": options.small, "labels": options.small_labels}
        runs["small"] = (sys.executable, "ours", small)
        runs["small_every_frame"] = (sys.executable, "ours", {**small, "every_frame": True})
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, (python, role, flags) in runs.items():
            rounds[name].append(child(python, role, options, **flags))
    return summary({name: best(each) for name, each in rounds.items()})


def summary(figures: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Rates and their ratios to Ultralytics' default and to its single thread."""
    rates = {name: each["fps"] for name, each in figures.items()}
    if "small" in figures:
        rates["at_real_share"] = at_share(figures["small"]["network_share"], figures)
    peers = ("ultralytics", "ultralytics_1_thread")
    ratios = {
        peer: {name: rate / rates[peer] for name, rate in rates.items() if name not in peers}
        for peer in peers
    }
    return {"figures": figures, "fps": rates, "ratio_to": ratios}


def at_share(share: float, figures: dict[str, dict[str, float]]) -> float:
    """The rate with MODEL on a share of the frames: total time = rest + share x network.

    The small model, gated and on every frame, gives two equations: its network and the rest.
    """
    gated, every = (1 / figures[name]["fps"] for name in ("small", "small_every_frame"))
    small_network_s = (every - gated) / max(1 - share, 1e-9)
    rest_s = max(every - small_network_s, 0.0)
    network_s = 1 / figures["ours_every_frame"]["fps"] - rest_s
    return 1 / (rest_s + share * network_s)


def arguments() -> argparse.Namespace:
    """Of the parent and, with ``--role``, of one measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("model", type=Path, help="an ONNX export that both can load")
    parser.add_argument("--labels", type=Path, help="of a model that does not bring its own")
    parser.add_argument("--small", type=Path, help="an ONNX detector that finds people")
    parser.add_argument("--small-labels", type=Path)
    parser.add_argument("--peer-python", default=sys.executable, help="where ultralytics is")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--frames", type=int, help="of the clip; all if absent")
    parser.add_argument("--role", choices=["ours", "theirs"], help="one measurement")
    parser.add_argument("--every-frame", action="store_true")
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


def main() -> None:
    """Print the figures as JSON."""
    options = arguments()
    match options.role:
        case "ours":
            result: dict[str, Any] = ours(options)
        case "theirs":
            result = theirs(options)
        case _:
            result = compare(options)
    print(json.dumps(result, indent=None if options.role else 2))


if __name__ == "__main__":
    main()
