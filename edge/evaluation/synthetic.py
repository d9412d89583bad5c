"""Generated streets as evaluation clips, in memory or written as a folder of videos.

The streets come from whoever calls: this module knows only that a street can be watched again
and again, and that it tells what is in each frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np
import numpy.typing as npt

from edge.domain.frame import Frame
from edge.domain.truth import FrameTruth
from edge.errors import StorageError

EPOCH_S = 1_700_000_000.0  # a clip's first frame: any fixed time serves
QUALITY = {"crf": "18", "preset": "veryfast", "threads": "1"}  # of libx264; 18 shows no blocks

Bgr = npt.NDArray[np.uint8]  # (H, W, 3)


class LabelledStreet(Protocol):
    """Footage with its truth; each pass shows the same."""

    def __iter__(self) -> Iterator[tuple[Bgr, FrameTruth]]:
        """All frames with their truth."""
        ...

    def truths(self) -> Iterator[FrameTruth]:
        """The truth alone, which costs less."""
        ...


def frames(street: LabelledStreet, camera: str) -> Iterator[Frame]:
    """The frames of a street as its camera delivers them."""
    for bgr, truth in street:
        time_s = EPOCH_S + truth.time_s
        yield Frame.from_bgr(
            bgr, camera=camera, index=truth.index, time_s=time_s, received_s=truth.time_s
        )


def labels(street: LabelledStreet) -> npt.NDArray[np.bool_]:
    """Whether each frame is anomalous, (T,)."""
    return np.array([truth.anomalous for truth in street.truths()], np.bool_)


def write_dataset(
    root: Path,
    *,
    train: Mapping[str, LabelledStreet],
    test: Mapping[str, LabelledStreet],
    rate_hz: float,
) -> None:
    """Write streets by name in the layout of the clip data sets, with the boxes beside it.

    ``video/{train,test}/NAME.mkv`` (H.264), ``annotations/test_frame_labels.json``
    ``{NAME: [0/1, ...]}`` and ``annotations/test_objects.jsonl``, one visible object of one frame
    a line. The streets end. Raises StorageError where the folder cannot be written.
    """
    try:
        for split, streets in (("train", train), ("test", test)):
            folder = root / "video" / split
            folder.mkdir(parents=True, exist_ok=True)
            for name, street in streets.items():
                write_video(folder / f"{name}.mkv", street, rate_hz=rate_hz)
        _write_annotations(root / "annotations", test)
    except OSError as error:
        raise StorageError(f"cannot write the data set to {root}: {error}") from None


def write_video(path: Path, street: LabelledStreet, *, rate_hz: float) -> None:
    """Encode a street's frames, even sizes only, one picture for each frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(rate_hz).limit_denominator(1000), options=QUALITY
        )
        stream.pix_fmt = "yuv420p"
        for frame in frames(street, path.stem):
            if frame.index == 0:
                stream.width, stream.height = frame.width, frame.height
            picture = av.VideoFrame.from_ndarray(frame.planes, format="yuv420p")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def _write_annotations(folder: Path, test: Mapping[str, LabelledStreet]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    by_clip: dict[str, list[int]] = {}
    with (folder / "test_objects.jsonl").open("w", encoding="utf-8") as lines:
        for name, street in test.items():
            by_clip[name] = []
            for truth in street.truths():
                by_clip[name].append(int(truth.anomalous))
                for each in truth.objects:
                    record = {"clip": name, "frame": truth.index, **asdict(each)}
                    lines.write(json.dumps(record) + "\n")
    text = json.dumps(by_clip)
    (folder / "test_frame_labels.json").write_text(text + "\n", encoding="utf-8")
