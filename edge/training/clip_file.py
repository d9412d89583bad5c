"""The file of one clip: features only, never a pixel.

A zip archive: ``clip.json`` says what is in it, one ``.npy`` member holds each array, column after
column, because that compresses better. Groups that speak of the same regions share them. Members
are read one by one: the scene segments of a clip cost a hundredth of all of it.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import numpy as np
import numpy.typing as npt

from edge.domain.features import Cells, Features, FeatureSpec
from edge.errors import FeatureVersionError, MalformedMessageError
from edge.features import scene_segment
from edge.training.clip import ClipTable, StoredClip

Array: TypeAlias = npt.NDArray[Any]

FORMAT = "vad-edge-clip-1"
HEADER = "clip.json"
FASTEST = 1  # of zlib's levels: the higher ones take thrice as long for 5 % less
MAX_MEMBER_BYTES = 256_000_000  # of a sound clip: one that would not fit in memory is damaged

_BROKEN = (
    *(BadZipFile, zlib.error, EOFError, struct.error, OSError),
    *(LookupError, TypeError, ValueError, AttributeError, NotImplementedError, RuntimeError),
)
"""What zip, json and numpy raise over damaged bytes."""


def encode_clip(clip: StoredClip) -> bytes:
    """The content of its file."""
    content = BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED, compresslevel=FASTEST) as archive:
        _write(archive, "time_s", clip.time_s)
        _write(archive, "score", clip.score)
        tables = []
        for number, table in enumerate(clip.tables):
            regions = _first_alike(clip.tables, number)
            if regions == number:
                for name, array in _regions(table).items():
                    _write(archive, f"{number}.{name}", array)
            _write(archive, f"{number}.values", table.features.values)
            cells = table.features.cells
            tables.append(
                {
                    "version": table.features.spec.spec_version,
                    "regions": regions,
                    "grid": cells and cells.shape,
                }
            )
        header = {"format": FORMAT, "camera": clip.camera, "size": [clip.width, clip.height]}
        archive.writestr(HEADER, json.dumps({**header, "tables": tables}))
    return content.getvalue()


def load_clip(path: Path, specs: Iterable[FeatureSpec]) -> StoredClip:
    """Read the groups ``specs`` of a clip, in that order.

    Raises MalformedMessageError for a damaged or foreign file, FeatureVersionError when one of the
    groups was stored in another version, and FileNotFoundError when it has grown too old meanwhile.
    """
    try:
        with ZipFile(path) as archive:
            return _clip(archive, tuple(specs))
    except FileNotFoundError:
        raise
    except FeatureVersionError as error:
        raise FeatureVersionError(f"{path}: {error}") from None
    except _BROKEN as error:
        raise MalformedMessageError(f"{path}: damaged or foreign: {error}") from error


def _clip(archive: ZipFile, specs: tuple[FeatureSpec, ...]) -> StoredClip:
    header = json.loads(_content(archive, HEADER))
    if header["format"] != FORMAT:
        raise ValueError(f"not a clip of format {FORMAT}")
    stored = {table["version"]: (str(k), table) for k, table in enumerate(header["tables"])}
    for spec in specs:
        if spec.spec_version not in stored:
            raise FeatureVersionError(f"holds {', '.join(stored)}, not {spec.spec_version}")
    width, height = header["size"]
    clip = StoredClip(
        camera=str(header["camera"]),
        width=int(width),
        height=int(height),
        time_s=_read(archive, "time_s", np.float64),
        score=_read(archive, "score", np.float32),
        tables=tuple(_table(archive, spec, *stored[spec.spec_version]) for spec in specs),
    )
    _check(clip)
    return clip


def _table(archive: ZipFile, spec: FeatureSpec, number: str, about: Mapping[str, Any]) -> ClipTable:
    regions = str(int(about["regions"]))
    cells = None
    if about["grid"] is not None:
        rows, columns = about["grid"]
        cells = Cells(
            _read(archive, f"{regions}.column_row", np.int32),
            _read(archive, f"{regions}.velocity", np.float32),
            (int(rows), int(columns)),
        )
    features = Features(
        spec=spec,
        track_id=_read(archive, f"{regions}.track_id", np.int64),
        class_id=_read(archive, f"{regions}.class_id", np.int32),
        boxes_xyxy=_read(archive, f"{regions}.boxes_xyxy", np.float32),
        values=_read(archive, f"{number}.values", np.float32),
        cells=cells,
    )
    return ClipTable(_read(archive, f"{regions}.frame", np.int32).astype(np.intp), features)


def _check(clip: StoredClip) -> None:
    """Raise ValueError where the parts do not belong together."""
    frames = len(clip.time_s)
    _expect("time_s", clip.time_s, (frames,))
    if clip.score.shape != (frames,) or (np.diff(clip.time_s) < 0).any():
        raise ValueError("the frames are out of order")
    ends = [t.frame for t in clip.tables if t.features.spec in scene_segment.SPECS]
    if not all(np.array_equal(ends[0], end) for end in ends):
        raise ValueError("the groups of the scene segments do not match")
    for table in clip.tables:
        group, rows = table.features, len(table.features)
        _expect("frame", table.frame, (rows,))
        if rows and (table.frame[0] < 0 or table.frame[-1] >= frames):
            raise ValueError(f"{group.spec.group} speaks of frames that the clip does not have")
        if (np.diff(table.frame) < 0).any():
            raise ValueError(f"the rows of {group.spec.group} are out of order")
        _expect("values", group.values, (rows, len(group.spec)))
        _expect("track_id", group.track_id, (rows,))
        _expect("class_id", group.class_id, (rows,))
        _expect("boxes_xyxy", group.boxes_xyxy, (rows, 4))
        if group.cells is not None:
            _expect("column_row", group.cells.column_row, (rows, 2))
            _expect("velocity", group.cells.velocity, (rows, 2))


def _expect(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"{name} is not finite of shape {shape}")


def _regions(table: ClipTable) -> dict[str, Array]:
    """The arrays that tell what the rows speak of."""
    features = table.features
    arrays: dict[str, Array] = {
        "frame": table.frame.astype(np.int32),
        "track_id": features.track_id,
        "class_id": features.class_id,
        "boxes_xyxy": features.boxes_xyxy,
    }
    if features.cells is not None:
        arrays |= {"column_row": features.cells.column_row, "velocity": features.cells.velocity}
    return arrays


def _first_alike(tables: Sequence[ClipTable], number: int) -> int:
    """The first table that speaks of the same regions: this one, if no earlier does."""
    own = _regions(tables[number])
    for earlier in range(number):
        other = _regions(tables[earlier])
        if own.keys() == other.keys() and all(np.array_equal(own[k], other[k]) for k in own):
            return earlier
    return number


def _write(archive: ZipFile, name: str, array: Array) -> None:
    with archive.open(name + ".npy", "w") as member:
        np.lib.format.write_array(member, np.ascontiguousarray(array.T), allow_pickle=False)


def _read(archive: ZipFile, name: str, dtype: type[np.generic]) -> Array:
    content = BytesIO(_content(archive, name + ".npy"))
    array = np.lib.format.read_array(content, allow_pickle=False)
    if array.dtype != dtype:
        raise ValueError(f"{name} holds {array.dtype}, not {np.dtype(dtype)}")
    return np.ascontiguousarray(array.T)


def _content(archive: ZipFile, name: str) -> bytes:
    """A member, whole and with its checksum verified."""
    if archive.getinfo(name).file_size > MAX_MEMBER_BYTES:
        raise ValueError(f"{name} is larger than any clip")
    return archive.read(name)
