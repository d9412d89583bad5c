"""``vad-export detector``: an Ultralytics checkpoint as the ONNX file that ``vad-edge`` loads."""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

from edge.commands.report import answer
from edge.errors import ConfigError
from edge.ingest.feed import read_frames
from edge.ingest.synthetic.source import SyntheticSource
from edge.ingest.synthetic.street import StreetOptions
from edge.perception.card import read_labels
from edge.perception.detector import Picture
from export.detectors.exporting import LICENCE, Exported, export_detector
from export.detectors.original import (
    ARCHITECTURES,
    Original,
    download,
    load_original,
    random_original,
)
from export.footage import pictures

MOST_PICTURES = 100  # of the footage
DRAWN_PICTURES = 4  # of the synthetic street, where no footage is given
DRAWN_HZ = 0.5


def run(options: argparse.Namespace) -> int:
    """Load, export, compare, write."""
    if options.precision == "int8" and options.calibrate is None:
        raise ConfigError("--precision int8 needs --calibrate with footage of your cameras")
    original = _original(options)
    exported = export_detector(
        original,
        options.out,
        pictures=_pictures(options.calibrate),
        size_px=options.size,
        precision=options.precision,
        labels=read_labels(options.labels) if options.labels else None,
    )
    _tell(options, exported)
    return 0


def _original(options: argparse.Namespace) -> Original:
    """The network that is named: a file, or an architecture whose weights lie here."""
    if options.model not in ARCHITECTURES:
        if options.random or options.download:
            raise ConfigError(f"--random and --download take one of: {', '.join(ARCHITECTURES)}")
        return load_original(Path(options.model))
    if options.random:
        return random_original(options.model)
    path = Path(f"{options.model}.pt")
    if options.download and not path.is_file():
        path = download(options.model, Path())
    if not path.is_file():
        raise ConfigError(
            f"{path} is not in this folder: download it from Ultralytics, or let it be fetched"
            " with --download; --random makes a network that knows nothing"
        )
    return load_original(path)


def _pictures(footage: Path | None) -> list[Picture]:
    """Of the footage; without any, of a street that is drawn."""
    if footage is not None:
        return pictures(footage, most=MOST_PICTURES)
    street = SyntheticSource(StreetOptions(), paced=False)
    frames = read_frames(street, camera="street", analysis_hz=DRAWN_HZ)
    return [frame.bgr() for frame in islice(frames, DRAWN_PICTURES)]


def _tell(options: argparse.Namespace, exported: Exported) -> None:
    parity = exported.parity
    figures = {
        "path": str(exported.path),
        "layout": exported.layout.value,
        "classes": list(exported.labels),
        "size_px": options.size,
        "precision": options.precision,
        "max_abs_error": parity.max_abs_error,
        "matched": parity.matched,
        "licence": LICENCE,
    }
    shared = "nothing to detect" if parity.matched is None else f"{parity.matched:.1%} the same"
    text = (
        f"{exported.path}: {len(exported.labels)} classes, {options.precision}, for up to"
        f" {options.size} px\nlargest error {parity.max_abs_error:.2g}, {parity.detections}"
        f" detections: {shared}\nlicence {LICENCE}: see the file's metadata"
    )
    answer(figures, as_json=options.format == "json", text=text)
