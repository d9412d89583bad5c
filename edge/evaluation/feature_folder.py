"""A folder of segment features, from any backbone, that anybody's data set fits.

::

    ROOT/features/train/NAME.npy              (m, d), or (crops, m, d): crops are averaged
    ROOT/features/test/NAME.npy
    ROOT/annotations/test_frame_labels.json   {"NAME": [0, 1, ...]}, one number per frame
    ROOT/annotations/train_video_labels.json  {"NAME": 0 or 1}: optional, for ``partial``
    ROOT/participants.json                    {"participant": ["NAME", ...]}: optional
    ROOT/dataset.json                         optional: {"kind": "embedding" or "descriptor",
                                              "segment_frames": 16}

*kind* (embedding by default): an embedding is taken as it is, before any normalisation, for CLAP
reads its length; a descriptor's columns have units and are standardised by each participant for
itself, robustly. Without *segment_frames* a clip's labels are cut into as many equal parts as
it has segments. Whatever does not fit is left out and listed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from edge.errors import DatasetError
from edge.evaluation.clips import LABELS, read_labels
from edge.evaluation.figures import Labels

VIDEO_LABELS = Path("annotations", "train_video_labels.json")
LAYOUT = f"expected features/train and features/test with NAME.npy, and {LABELS}"

Array: TypeAlias = npt.NDArray[np.float32]
Kind: TypeAlias = Literal["embedding", "descriptor"]
Progress: TypeAlias = Callable[[Sequence[Path]], Iterable[Path]]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureFolder:
    """What of the folder fits together."""

    kind: Kind
    segment_frames: int | None
    train: Mapping[str, Array]  # (m, d) by name
    test: Mapping[str, Array]  # those with labels
    labels: Mapping[str, Labels]  # (T,) of every clip in ``test``
    abnormal: Mapping[str, bool]  # what the labels of training clips say
    left_out: tuple[str, ...]

    def starts(self, name: str) -> npt.NDArray[np.intp]:
        """First frame of each segment of a test clip, (m,)."""
        count, frames = len(self.test[name]), len(self.labels[name])
        if self.segment_frames is None:
            return np.arange(count) * frames // count
        return np.arange(count) * self.segment_frames


def read_features(root: Path, *, progress: Progress = iter, judged: bool = True) -> FeatureFolder:
    """Read the folder; ``progress`` may wrap the files.

    Unless ``judged``, it may do without test clips or their labels.

    Raises DatasetError where the folder is not as documented or nothing in it fits.
    """
    kind, segment_frames = _declared(root / "dataset.json")
    left_out: list[str] = []
    tested = judged or ((root / "features" / "test").exists() and (root / LABELS).exists())
    splits = SPLITS if tested else SPLITS[:1]
    arrays = {split: _arrays(root / "features" / split, left_out, progress) for split in splits}
    _drop_other_widths(arrays, left_out)
    train, test = arrays["train"], arrays.get("test", {})
    labels = read_labels(root / LABELS, LAYOUT) if tested else {}
    left_out += [f"test/{name}: labels {LACKING}" for name in labels if name not in test]
    for name, reason in _unlabelled(test, labels, segment_frames).items():
        del test[name]
        left_out.append(f"test/{name}: {reason}")
    if not train or (judged and not test):
        raise DatasetError(f"{root}: no clip to learn from, or none to test; {_told(left_out)}")
    abnormal = _video_labels(root / VIDEO_LABELS)
    left_out += [f"train/{name}: a label {LACKING}" for name in abnormal if name not in train]
    return FeatureFolder(kind, segment_frames, train, test, labels, abnormal, tuple(left_out))


SPLITS = ("train", "test")
LACKING = "without features (too short, or not extracted)"


def _declared(path: Path) -> tuple[Kind, int | None]:
    written = _object(path) if path.exists() else {}
    kind, frames = written.get("kind", "embedding"), written.get("segment_frames")
    unknown = written.keys() - {"kind", "segment_frames"}
    if unknown or kind not in get_args(Kind):
        raise DatasetError(f'{path}: "kind" is one of {get_args(Kind)}, not {kind!r}; {unknown=}')
    if frames is not None and (not isinstance(frames, int) or frames < 1):
        raise DatasetError(f'{path}: "segment_frames" is a number of frames, not {frames!r}')
    return kind, frames


def _arrays(folder: Path, left_out: list[str], progress: Progress) -> dict[str, Array]:
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; {LAYOUT}")
    arrays = {}
    for path in progress(sorted(folder.glob("*.npy"))):
        try:
            arrays[path.stem] = _segments(path)
        except (OSError, ValueError) as error:
            left_out.append(f"{folder.name}/{path.stem}: {error}")
    return arrays


def _segments(path: Path) -> Array:
    """(m, d) float32, finite, m ≥ 1; raises ValueError for anything else."""
    values = np.load(path, allow_pickle=False)
    if values.ndim == 3 and len(values):
        values = values.mean(axis=0)
    if values.ndim != 2 or not values.size or not np.issubdtype(values.dtype, np.number):
        raise ValueError(f"shape {values.shape} of {values.dtype} is no (m, d) of numbers")
    values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("values that are not finite")
    return np.asarray(values)


def _drop_other_widths(arrays: Mapping[str, dict[str, Array]], left_out: list[str]) -> None:
    """Keep the clips of the commonest width."""
    widths = Counter(values.shape[1] for split in arrays.values() for values in split.values())
    width = widths.most_common(1)[0][0] if widths else 0
    for split, clips in arrays.items():
        for name in [name for name, values in clips.items() if values.shape[1] != width]:
            left_out.append(f"{split}/{name}: width {clips.pop(name).shape[1]}, not {width}")


def _unlabelled(
    test: Mapping[str, Array], labels: Mapping[str, Labels], segment_frames: int | None
) -> dict[str, str]:
    """Test clips that cannot be judged, and why."""
    reasons = {}
    for name, values in test.items():
        segments, frames = len(values), len(labels.get(name, ()))
        if name not in labels:
            reasons[name] = "no frame labels"
        elif frames < segments:
            reasons[name] = f"{frames} frame labels for {segments} segments"
        elif segment_frames and frames // segment_frames > segments:
            reasons[name] = f"{frames} frame labels, but {segments} segments of {segment_frames}"
        elif segment_frames and frames <= (segments - 1) * segment_frames:
            reasons[name] = f"{segments} segments of {segment_frames}, but {frames} frame labels"
    return reasons


def _video_labels(path: Path) -> dict[str, bool]:
    written = _object(path) if path.exists() else {}
    if any(value not in (0, 1) for value in written.values()):
        raise DatasetError(f'{path}: expected {{"NAME": 0 (normal) or 1 (abnormal), ...}}')
    return {name: bool(value) for name, value in written.items()}


def _object(path: Path) -> dict[str, Any]:
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(written, dict):
        raise DatasetError(f"{path}: must be a JSON object")
    return written


def _told(reasons: Sequence[str]) -> str:
    return "; ".join(reasons[:5]) + (f"; and {len(reasons) - 5} more" if reasons[5:] else "")
