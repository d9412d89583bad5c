"""How many objects of each class the cameras of a host have seen: one small file per camera.

It lies beside the camera's clips and is written with each of them, so it costs the analysis nothing
and lives as long as what it was counted from. An object counts once, in the clip in which its track
is first stored, as what the detector called it in most of the frames of that clip. A store that was
filled before there was such a file has none: what it holds is not counted.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.atomic import write_atomically
from edge.features import kinematics
from edge.perception.motion import MOTION_LABELS
from edge.training.clip import StoredClip

log = logging.getLogger(__name__)

FORMAT = "vad-edge-census-1"
FILE = "objects.json"  # in the folder of the camera's clips
DAY_S = 86_400.0
FORGET_S = 60.0
"""A track that was not stored for longer is over: the tracker itself gives up after a second."""

Days = dict[int, Counter[str]]
"""Whole days since the epoch (UTC) → class name → objects first seen on that day."""


class Census:
    """Counts what the clips of a host's cameras show; for one thread at a time."""

    def __init__(self, folder: Path, *, max_age_s: float) -> None:
        """``folder`` is the store's; what is older than ``max_age_s`` is no longer counted."""
        self._folder = folder
        self._max_age_s = max_age_s
        self._days: dict[str, Days] = {}  # by camera
        self._known: dict[str, dict[int, float]] = {}  # by camera: track → when it was last stored

    def add(self, clip: StoredClip, labels: Sequence[str]) -> None:
        """Count a camera's next clip, ``labels`` being what its class ids point into.

        Raises StorageError where the disk refuses; then the next clip writes this one's too.
        """
        begin_s, end_s = float(clip.time_s[0]), float(clip.time_s[-1])
        table = clip.table(kinematics.SPEC.group)
        track_id, class_id = classes_of(table.features.track_id, table.features.class_id)
        known = self._known.setdefault(clip.camera, {})
        for track in [track for track, last_s in known.items() if begin_s - last_s > FORGET_S]:
            del known[track]
        day = self._days_of(clip.camera).setdefault(int(begin_s // DAY_S), Counter())
        for track, number in zip(track_id.tolist(), class_id.tolist(), strict=True):
            day[_name(labels, number)] += track not in known
            known[track] = end_s
        self._write(clip.camera, begin_s - self._max_age_s)

    def _days_of(self, camera: str) -> Days:
        if camera not in self._days:
            self._days[camera] = _read(self._folder / camera / FILE)
        return self._days[camera]

    def _write(self, camera: str, since_s: float) -> None:
        days = self._days[camera] = _since(self._days[camera], since_s)
        counts = {str(day): dict(counted) for day, counted in days.items()}
        content = json.dumps({"format": FORMAT, "days": counts})
        write_atomically(self._folder / camera / FILE, content.encode())


def objects_seen(folder: Path, cameras: Iterable[str], *, since_s: float) -> Counter[str]:
    """How many objects of each class these cameras have seen from the day of ``since_s`` on.

    Also while another process fills the store ``folder``. Where a detector tells no classes, all
    are ``MOTION_LABELS``.
    """
    seen: Counter[str] = Counter()
    for camera in cameras:
        for counted in _since(_read(folder / camera / FILE), since_s).values():
            seen += counted
    return seen


def classes_of(
    track_id: npt.NDArray[np.int64], class_id: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Each of K tracks in R rows, (R,) and (R,), with its most frequent class: two (K,).

    Among classes that are as frequent the largest number counts.
    """
    pairs, rows = np.unique(np.stack([track_id, class_id]), axis=1, return_counts=True)
    tracks, classes = pairs[:, np.lexsort((rows, pairs[0]))]
    most = np.append(tracks[1:] != tracks[:-1], True)[: len(tracks)]  # the last of each track
    return tracks[most], classes[most]


def _name(labels: Sequence[str], number: int) -> str:
    return labels[number] if 0 <= number < len(labels) else MOTION_LABELS[0]


def _since(days: Mapping[int, Counter[str]], since_s: float) -> Days:
    return {day: counted for day, counted in days.items() if day >= since_s // DAY_S}


def _read(path: Path) -> Days:
    """What was counted before; a file that cannot be used is named in the log and begun anew."""
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            raise ValueError(f"not of format {FORMAT}")
        return {int(day): _counted(counts) for day, counts in content["days"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        log.warning("%s cannot be read (%s): its objects are counted anew", path, error)
        return {}


def _counted(counts: Mapping[str, int]) -> Counter[str]:
    if not all(type(count) is int and count >= 0 for count in counts.values()):
        raise ValueError("no counts")
    return Counter(counts)
