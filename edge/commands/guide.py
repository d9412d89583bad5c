"""``vad-edge guide``: say in words what is normal for a camera, and what is not.

The words go into the host's files; a running ``vad-edge run`` follows within about a second.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from edge.commands.report import answer, say
from edge.config import EdgeConfig, load_config
from edge.errors import ConfigError, MalformedMessageError
from edge.guiding.folder import GuidanceFolder, Kept, check, guidance_folder, overruled
from edge.wire.guidance import Command, decode_guidance
from edge.wire.rounds import printable

Answer: TypeAlias = tuple[dict[str, Any], str]  # for a program, for a person


def run(options: argparse.Namespace) -> int:
    """Carry out one action; ConfigError where camera, zone or words cannot be used."""
    config = load_config(options.config)
    figures, text = ACTIONS[options.action](config, guidance_folder(config.data_dir), options)
    answer(figures, as_json=options.format == "json", text=text)
    return 0


def _add(config: EdgeConfig, folder: GuidanceFolder, options: argparse.Namespace) -> Answer:
    said: dict[str, Any] = {"text": options.text, "polarity": options.polarity}
    given = {"threshold": options.threshold, "zones": options.zone, "hours": options.hours}
    said |= {name: value for name, value in given.items() if value is not None}
    if config.words is None:
        say("kept, but nobody here understands it: give this host a word model by words:")
    return _change(config, folder, options.camera, {"add": said})


def _remove(config: EdgeConfig, folder: GuidanceFolder, options: argparse.Namespace) -> Answer:
    return _change(config, folder, options.camera, {"remove": options.id})


def _list(config: EdgeConfig, folder: GuidanceFolder, options: argparse.Namespace) -> Answer:
    cameras = list(config.cameras) if options.camera is None else [options.camera]
    for camera in cameras:
        _zones(config, camera)
    return _told({camera: folder.read(camera) for camera in cameras})


ACTIONS: Mapping[str, Callable[[EdgeConfig, GuidanceFolder, argparse.Namespace], Answer]] = {
    "add": _add,
    "list": _list,
    "remove": _remove,
}


def _change(
    config: EdgeConfig, folder: GuidanceFolder, camera: str, said: Mapping[str, Any]
) -> Answer:
    zones = _zones(config, camera)
    command = _command(said)
    check(command, zones)
    return _told({camera: folder.change(camera, command, now_s=time.time())})


def _command(said: Mapping[str, Any]) -> Command:
    """Through the very door of commands over MQTT, so that both take the same."""
    try:
        return decode_guidance(json.dumps(said, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        raise ConfigError("vad-edge guide: the text is not UTF-8") from None
    except MalformedMessageError as error:
        raise ConfigError(f"vad-edge guide: {error}") from None


def _zones(config: EdgeConfig, camera: str) -> dict[str, tuple[tuple[float, float], ...]]:
    if camera not in config.cameras:
        named = ", ".join(config.cameras)
        raise ConfigError(f"no camera {camera!r} in the configuration: there are {named}")
    return {name: tuple(corners) for name, corners in config.cameras[camera].zones.items()}


def _told(kept: Mapping[str, Sequence[Kept]]) -> Answer:
    figures = {
        camera: [
            {"id": each.id, **each.instruction.model_dump(mode="json"), "since": each.since}
            for each in said
        ]
        for camera, said in kept.items()
    }
    lines = []
    for camera, said in kept.items():
        lines.append(f"camera {camera}: {'goes by' if said else 'goes by no words'}")
        lines += [_line(each, said[number + 1 :]) for number, each in enumerate(said)]
    return {"cameras": figures}, "\n".join(lines)


def _line(kept: Kept, newer: Sequence[Kept]) -> str:
    said = kept.instruction
    places = [zone if isinstance(zone, str) else "a polygon" for zone in said.zones]
    limits = [
        *([f"in {', '.join(places)}"] if places else []),
        *([f"at {', '.join(said.hours)}"] if said.hours else []),
        *([f"above {said.threshold:g}"] if said.threshold is not None else []),
        *([overruled(kept, newer)] if overruled(kept, newer) else []),
    ]
    return "; ".join([f"  {kept.id}  {said.polarity:9}  {printable(said.text)}", *limits])
