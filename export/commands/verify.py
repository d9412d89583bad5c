"""``vad-export verify``: the parity gate, and what an export says of footage."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from edge.commands.report import answer, say, shown
from edge.errors import ConfigError
from edge.evaluation.clips import read_clips
from edge.model.artifact import Artifact, load_artifact
from edge.model.folder import replace_manifest
from edge.model.signature import Sign, sign_folder, signer, unsign_folder
from edge.scoring.student import StudentTerm
from export.extract.watch import Viewing
from export.proof.comparison import compare
from export.proof.cost import measure
from export.proof.folder import Findings, examine
from export.proof.footage import score_clip

NOT_THE_SAME = 4  # see `export.cli.EXIT_CODES`
OBJECTS = 3  # followed in a frame, for the speed of students that look at objects

_clips = partial(shown, what="scoring", unit="clip")


def run(options: argparse.Namespace) -> int:
    """Verify, write what was found into the manifest, then score what footage there is."""
    if (options.against is None) != (options.videos is None):
        raise ConfigError("--against FOLDER and --videos ROOT go together")
    sign = signer(options.key) if options.key else None
    findings = examine(options.folder)
    figures = findings.as_json()
    if findings.artifact is None or not findings.ok:
        answer(figures, as_json=options.format == "json", text=findings.as_text())
        say(
            f"vad-export verify: {options.folder} does not score the same as what was trained "
            f"({findings.failure}): do not use it; export it again, or at a higher precision. Its "
            "manifest is as it was"
        )
        return NOT_THE_SAME
    seen = _viewing(options, findings.artifact)
    figures |= {"signed": _record(options.folder, findings, sign)}
    if options.footage:
        figures |= {"footage": _footage(options.footage, findings.artifact, seen)}
    if options.against is not None:
        figures |= {"against": _against(options, findings.artifact, seen)}
    text = "\n".join((findings.as_text(), *_more(figures)))
    answer(figures, as_json=options.format == "json", text=text)
    return 0


def _viewing(options: argparse.Namespace, artifact: Artifact) -> Viewing:
    """As the footage was seen that the student learnt from, where nobody says otherwise."""
    learnt = artifact.sampling or Viewing().sampling
    return Viewing(
        options.analysis_hz or learnt.analysis_hz,
        options.max_width or learnt.max_width_px,
        options.detector,
        options.labels,
    )


def _record(folder: Path, findings: Findings, sign: Sign | None) -> bool:
    """Write the findings where they are not there yet; whether the manifest is signed anew.

    A signature of a manifest that says something else would only raise suspicion.
    """
    manifest = findings.manifest_after()
    if manifest != findings.manifest:
        replace_manifest(folder, manifest)
        if sign is None and unsign_folder(folder):
            say(f"{folder}: its signature was of the older manifest and is gone: sign with --key")
    if sign is not None:
        sign_folder(folder, sign)
    return sign is not None


def _footage(paths: Sequence[Path], artifact: Artifact, viewing: Viewing) -> list[dict[str, Any]]:
    student, detector = StudentTerm.of(artifact), viewing.load_detector()
    scores = []
    for path in _clips(paths):
        scores += [asdict(score) for score in score_clip(path, student, viewing, detector)]
    return scores


def _against(options: argparse.Namespace, artifact: Artifact, viewing: Viewing) -> dict[str, Any]:
    other = load_artifact(options.against)
    found = compare(
        StudentTerm.of(artifact),
        StudentTerm.of(other),
        read_clips(options.videos).test,
        viewing=viewing,
        detector=viewing.load_detector(),
        progress=_clips,
    )
    mine, theirs = measure([artifact, other], objects=OBJECTS)
    return {
        "folder": str(options.against),
        **asdict(found),
        "auc_loss_points": found.auc_loss_points,
        "segment_ms": mine.segment_ms,
        "segment_ms_against": theirs.segment_ms,
        "speed_up": theirs.segment_ms / mine.segment_ms,
    }


def _more(figures: Mapping[str, Any]) -> Iterator[str]:
    for score in figures.get("footage", ()):
        yield f"{score['clip']} {score['time_s']:.2f} s: {score['score']:.6f}"
    found = figures.get("against")
    if found is not None:
        auc = "of one class" if found["auc"] is None else f"AUC {100 * found['auc']:.2f}"
        loss = found["auc_loss_points"]
        lost = "" if loss is None else f", {loss:.2f} points less than {found['folder']}"
        yield (
            f"{found['segments']} segments: rank correlation {found['rank_correlation']:.4f}, {auc}"
            f"{lost}, {found['speed_up']:.2f} times as fast"
        )
