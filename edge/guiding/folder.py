"""The instructions of each camera, one JSON file each: changed by several processes, never torn."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from edge.atomic import refused, write_atomically
from edge.domain.guidance import Corners
from edge.errors import ConfigError, MalformedMessageError
from edge.ingest.masks import polygon
from edge.wire.guidance import (
    MAX_GUIDANCES,
    MAX_STATE_BYTES,
    Command,
    Instruction,
    Strict,
    ZoneSaid,
    parse,
)

FORMAT = "vad-guidance-1"


class Kept(Strict):
    """An instruction and since when it counts, in seconds since the epoch."""

    instruction: Instruction
    since: float

    @property
    def id(self) -> str:
        """Of the instruction."""
        return self.instruction.id


class _File(Strict):
    format: str = Field(pattern=f"^{FORMAT}$")
    guidance: tuple[Kept, ...] = Field(max_length=MAX_GUIDANCES)


def guidance_folder(data_dir: Path) -> GuidanceFolder:
    """Where a host keeps what its operators say."""
    return GuidanceFolder(data_dir / "guidance")


class GuidanceFolder:
    """The files of all cameras; nothing is read or made before it is needed."""

    def __init__(self, folder: Path) -> None:
        self.path = folder

    def stamp(self, camera: str) -> tuple[int, int] | None:
        """Changes whenever somebody changes the camera's guidance; as cheap as one ``stat``."""
        try:
            found = self._file(camera).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def read(self, camera: str) -> tuple[Kept, ...]:
        """Oldest first; ConfigError where the file cannot be used."""
        path = self._file(camera)
        try:
            return parse(path.read_bytes(), _File, limit_bytes=MAX_STATE_BYTES).guidance
        except FileNotFoundError:
            return ()
        except (OSError, MalformedMessageError) as error:
            raise ConfigError(
                f"{path}: cannot be used ({error}): mend it, or delete it to begin anew"
            ) from error

    def change(self, camera: str, command: Command, *, now_s: float) -> tuple[Kept, ...]:
        """Carry out a command; what is in force then, oldest first.

        ConfigError where it cannot be carried out, StorageError where the disk refuses; then
        nothing has changed.
        """
        with self._alone():
            kept = changed(self.read(camera), command, now_s=now_s)
            content = _File(format=FORMAT, guidance=kept).model_dump_json(indent=1)
            write_atomically(self._file(camera), content.encode())
        return kept

    def _file(self, camera: str) -> Path:
        return self.path / f"{camera}.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Between reading and writing nobody else writes."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with (self.path / "lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise refused(self.path, error) from error


def changed(kept: Sequence[Kept], command: Command, *, now_s: float) -> tuple[Kept, ...]:
    """What is in force after a command; ConfigError where it cannot be carried out.

    What is said again becomes the newest; in a list that replaces all, it keeps its age.
    """
    if command.replace is not None:
        since = {each.id: each.since for each in kept}
        listed = {said.id: said for said in command.replace}
        return tuple(
            Kept(instruction=said, since=since.get(key, now_s)) for key, said in listed.items()
        )
    gone = command.remove or (command.add.id if command.add else "")
    others = tuple(each for each in kept if each.id != gone)
    if command.add is None:
        if len(others) == len(kept):
            raise ConfigError(f"no guidance {command.remove} here: the state lists what there is")
        return others
    if len(others) >= MAX_GUIDANCES:
        raise ConfigError(f"a camera takes {MAX_GUIDANCES} guidances: remove one first")
    return (*others, Kept(instruction=command.add, since=now_s))


def corners_of(said: Sequence[ZoneSaid], zones: Mapping[str, Corners]) -> tuple[Corners, ...]:
    """The polygons of an instruction's zones; ``zones`` are the camera's own, by name.

    ConfigError for a name that is none of them, and for a polygon without area.
    """
    found = []
    for zone in said:
        if not isinstance(zone, str):
            polygon(zone, "zone")
            found.append(zone)
        elif zone in zones:
            found.append(zones[zone])
        else:
            named = ", ".join(zones) or "none"
            raise ConfigError(f"unknown zone {zone!r}: this camera has {named}")
    return tuple(found)


def check(command: Command, zones: Mapping[str, Corners]) -> None:
    """ConfigError where an instruction names a place that the camera does not have."""
    for said in (*(command.replace or ()), *([command.add] if command.add else ())):
        corners_of(said.zones, zones)


def overruled(older: Kept, newer: Sequence[Kept]) -> str:
    """What is to be told of a sentence that was said again, perhaps the other way round; or ""."""
    text = older.instruction.text.casefold()
    again = [each for each in newer if each.instruction.text.casefold() == text]
    if not again:
        return ""
    polarity = again[-1].instruction.polarity
    return f"where both hold, {again[-1].id} counts: the same text is {polarity} there, and newer"
