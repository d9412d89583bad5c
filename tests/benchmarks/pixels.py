"""Milliseconds from pixels to a score, through a large backbone and a small one, on one thread.

``python -m tests.benchmarks.pixels --data DIR --teacher FOLDER --student FOLDER``: an object
segment is nine crops; each is prepared and embedded, mean and maximum go to a ``dakd`` head that
looks back over 32 segments. The head's weights are random: its time does not depend on them. The
two paths take turns on the same crops, so that what else the machine does troubles both alike.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from edge.domain.segment import SEGMENT_FRAMES
from edge.features.embedding import Picture
from edge.model.backbone import Backbone, load_backbone
from edge.model.export import export_student
from edge.model.session import StudentSession
from edge.model.spec import StudentSpec
from edge.model.student import make_student, weights_of
from export.extract.videos import list_videos
from export.extract.watch import Viewing
from export.imitate.gather import Shown, gather

WINDOW = 32  # segments that the head looks back over
WARM_UP = 2  # segments that are not counted

Score = Callable[[list[Picture]], object]


def path_of(backbone: Backbone) -> Score:
    """From the crops of a segment to its score."""
    spec = StudentSpec("dakd", inputs=2 * backbone.width, window=WINDOW)
    session = StudentSession(export_student(spec), weights_of(make_student(spec, seed=0)))
    seen = np.zeros((1, WINDOW, spec.inputs), np.float32)

    def score(crops: list[Picture]) -> object:
        prepared = np.stack([backbone.prepare(crop) for crop in crops])
        found = backbone.embed(prepared[:, None])
        seen[0, :-1] = seen[0, 1:]
        seen[0, -1] = np.concatenate([found.mean(axis=0), found.max(axis=0)])
        return session.scores(seen)

    return score


def segments(data: Path, count: int) -> list[list[Picture]]:
    """The crops of so many object segments, from the first videos that show enough."""
    crops: list[Picture] = []
    for video in list_videos(data).clips:
        wanted = count * SEGMENT_FRAMES - len(crops)
        if wanted <= 0:
            break
        shown = Shown("objects", Viewing(), most=2 * wanted, shaken=False)
        crops += gather(video.path, shown, detector=None)[:wanted]
    return [
        crops[begin : begin + SEGMENT_FRAMES]
        for begin in range(0, len(crops) - SEGMENT_FRAMES + 1, SEGMENT_FRAMES)
    ]


def taken_ms(paths: dict[str, Score], shown: list[list[Picture]]) -> dict[str, np.ndarray]:
    """Of every segment but the first few, by path."""
    taken: dict[str, list[float]] = {name: [] for name in paths}
    for crops in shown:
        for name, score in paths.items():
            begun = time.perf_counter()
            score(crops)
            taken[name].append(1e3 * (time.perf_counter() - begun))
    return {name: np.array(each[WARM_UP:]) for name, each in taken.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="clips, or a folder of videos")
    parser.add_argument("--teacher", type=Path, required=True, help="a backbone")
    parser.add_argument("--student", type=Path, required=True, help="another")
    parser.add_argument("--segments", type=int, default=30)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    backbones = {name: load_backbone(getattr(options, name)) for name in ("teacher", "student")}
    paths = {name: path_of(backbone) for name, backbone in backbones.items()}
    taken = taken_ms(paths, segments(options.data, options.segments + WARM_UP))
    print(f"{'path':>8} {'best ms':>8} {'median ms':>10} {'p90 ms':>8}  backbone")
    for name, each in taken.items():
        spec = backbones[name].spec
        median, p90 = np.quantile(each, [0.5, 0.9])
        row = f"{name:>8} {each.min():8.1f} {median:10.1f} {p90:8.1f}"
        print(f"{row}  {spec.name}, {spec.size_px[0]} px, {spec.precision}")
    ratio = taken["teacher"].min() / taken["student"].min()  # what else the machine does only adds
    print(f"{len(taken['teacher'])} segments; the student's path is {ratio:.1f} times faster")


if __name__ == "__main__":
    main()
