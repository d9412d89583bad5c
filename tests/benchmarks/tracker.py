"""Milliseconds per frame of the tracker, beside others where they are installed.

``python -m tests.benchmarks.tracker`` prints a row for each number of objects; they walk about
a 1920 x 1080 picture, a tenth of them is missed in each frame. ``pip install trackers`` into the
environment to see its ByteTrack in the next column.
"""

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np

from edge.domain.detections import Detections
from edge.perception.tracker import Tracker

Step = Callable[[Detections, float], object]
PICTURE = np.array([1920, 1080])
SIZE = np.array([40, 100])
MISSED = 0.1
PACE_S = 0.1


def crowd(count: int, frames: int) -> Iterator[Detections]:
    """People who walk straight and turn back at the border of the picture."""
    rng = np.random.default_rng(0)
    start, speed = rng.uniform(0, PICTURE, (count, 2)), rng.normal(0, 8, (count, 2))
    for frame in range(frames):
        way = (start + frame * speed) % (2 * PICTURE)
        low = np.minimum(way, 2 * PICTURE - way) + rng.normal(0, 1, (count, 2))
        seen = rng.uniform(size=count) > MISSED
        boxes = np.concatenate([low, low + SIZE], axis=1).astype(np.float32)[seen]
        confidence = rng.uniform(0.6, 1, len(boxes)).astype(np.float32)
        yield Detections(boxes, confidence, np.zeros(len(boxes), np.int32))


def peer() -> Step | None:
    """ByteTrack of the package ``trackers``."""
    try:
        import supervision
        from trackers import ByteTrackTracker
    except ImportError:
        return None
    tracker = ByteTrackTracker()

    def step(found: Detections, _: float) -> object:
        return tracker.update(
            supervision.Detections(
                xyxy=found.boxes_xyxy, confidence=found.confidence, class_id=found.class_id
            )
        )

    return step


def median_ms(step: Step, count: int, frames: int) -> float:
    """Median time of a frame, the first tenth left out."""
    taken = []
    for index, found in enumerate(crowd(count, frames)):
        begun = time.perf_counter()
        step(found, index * PACE_S)
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken[frames // 10 :]) * 1e3)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--frames", type=int, default=200)
    options = parser.parse_args()
    print(f"{'objects':>8} {'ours ms':>8} {'trackers ms':>12}")
    for count in options.objects:
        frames = options.frames
        other = peer()
        beside = f"{median_ms(other, count, frames):12.2f}" if other else f"{'absent':>12}"
        print(f"{count:8d} {median_ms(Tracker().update, count, frames):8.2f} {beside}")


if __name__ == "__main__":
    main()
