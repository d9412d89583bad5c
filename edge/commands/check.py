"""``vad-edge check``: whether the configuration is right and everything it names answers."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from edge.commands.report import answer
from edge.compose import (
    enabled_cameras,
    find_model,
    make_detector,
    make_source,
    make_student,
    make_words,
    mqtt_settings,
    other_rate,
)
from edge.config import CameraSection, EdgeConfig, load_config
from edge.errors import MISCONFIGURED, StorageError, VadError
from edge.ingest.masks import PrivacyMasks
from edge.ingest.open import probe
from edge.mqtt import try_broker
from edge.scoring.student import StudentTerm
from edge.scoring.words import Words
from edge.terminal import WRONG_INPUT
from edge.wire.broker import Message, Outcome
from edge.wire.topics import Topics

DID_NOT_ANSWER = 3  # see `edge.cli.EXIT_CODES`
AT_ONCE = 8  # cameras opened at one time
LEAST_FREE_BYTES = 10_000_000  # a few clips of features


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried."""

    what: str  # "camera gate", "broker"
    code: int  # the exit code that it calls for; 0: all is well
    found: str  # what it is, or what to do about it

    @property
    def ok(self) -> bool:
        """Whether it answers as configured."""
        return self.code == 0


def run(options: argparse.Namespace) -> int:
    """Try everything once; nothing is written."""
    config = load_config(options.config)
    student, of_student = _student(config)
    words, of_words = _words(config)
    findings = [
        _try("data_dir", lambda: _data_dir(config.data_dir)),
        _try("detector", lambda: _detector(config)),
        *of_student,
        *of_words,
        *_cameras(config, student, words),
        _try("broker", lambda: _broker(config)),
    ]
    ok = all(finding.ok for finding in findings)
    text = "\n".join(f"{'ok  ' if f.ok else 'FAIL'}  {f.what}: {f.found}" for f in findings)
    figures = {
        "ok": ok,
        "findings": [{"what": f.what, "ok": f.ok, "found": f.found} for f in findings],
    }
    answer(figures, as_json=options.format == "json", text=text)
    return min((f.code for f in findings if not f.ok), default=0)  # first what only a person mends


def _try(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, 0, look())
    except VadError as error:
        code = WRONG_INPUT if isinstance(error, MISCONFIGURED) else DID_NOT_ANSWER
        return Finding(what, code, str(error))


def _data_dir(folder: Path) -> str:
    """Whether ``run`` could write there; only looked at, never tried."""
    present = next(path for path in (folder, *folder.parents) if path.exists())
    if not (present.is_dir() and os.access(present, os.W_OK | os.X_OK)):
        raise StorageError(f"{folder} cannot be written: mend the permissions of {present}")
    free = shutil.disk_usage(present).free
    if free < LEAST_FREE_BYTES:
        raise StorageError(f"{folder} cannot be written: its disk is full; free some of it")
    return f"{folder}, {free / 1e9:.1f} GB free"


def _detector(config: EdgeConfig) -> str:
    detector = make_detector(config.detector)
    if detector is None:
        return "motion, no weights"
    return f"{config.detector.model}, {len(detector.labels)} classes"


def _student(config: EdgeConfig) -> tuple[StudentTerm | None, list[Finding]]:
    """The exported student, and what to say of it where one is configured."""
    try:
        student = make_student(config)
    except VadError as error:
        return None, [Finding("exported_student", WRONG_INPUT, str(error))]
    if student is None:
        return None, []
    seen = f", looks through {student.eyes.backbone.spec.name}" if student.eyes else ""
    found = f"{student.version}, head {student.spec.head}{seen}"
    return student, [Finding("exported_student", 0, found)]


def _words(config: EdgeConfig) -> tuple[Words | None, list[Finding]]:
    """The word model, and what to say of it where one is configured."""
    try:
        words = make_words(config)
    except VadError as error:
        return None, [Finding("words", WRONG_INPUT, str(error))]
    if words is None:
        return None, []
    reads = "reads sentences" if words.model.reads else "has sentences read elsewhere"
    found = f"{words.version}, {len(words.model.prompts.prompts)} prompts, {reads}"
    return words, [Finding("words", 0, found)]


def _cameras(config: EdgeConfig, student: StudentTerm | None, words: Words | None) -> list[Finding]:
    def look(item: tuple[str, CameraSection]) -> Finding:
        name, camera = item
        return _try(f"camera {name}", lambda: _camera(config, name, camera, student, words))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(look, enabled_cameras(config)))


def _camera(
    config: EdgeConfig,
    name: str,
    camera: CameraSection,
    student: StudentTerm | None,
    words: Words | None,
) -> str:
    PrivacyMasks(camera.masks)
    model = find_model(config, name, student, words)
    info = probe(make_source(camera))
    rate = f" at {info.rate_hz:.3g} Hz" if info.rate_hz else ""
    learnt = f"threshold {model.budget}" if model else "nothing learnt yet"
    warning = other_rate(student, camera)
    warned = f"; WARNING: {warning}" if warning else ""
    return f"{info.width}x{info.height} {info.codec}{rate}; {learnt}{warned}"


def _broker(config: EdgeConfig) -> str:
    if not config.mqtt.enabled:
        return "not enabled, alerts are printed"
    topics = Topics(config.mqtt.prefix, config.host)
    settings = mqtt_settings(config.mqtt, client_id=f"{config.mqtt.prefix}-{config.host}-check")
    report = try_broker(settings, [Message(topics.stats, b"{}", qos=1)])
    refused = [
        f"{topic}: {receipt.reason}"
        for topic, receipt in report.receipts
        if receipt.outcome in (Outcome.REFUSED, Outcome.LOST)
    ]
    if refused:
        raise VadError(f"{settings.place} will not take {'; '.join(refused)}: mend its access list")
    limit = f", packets up to {report.max_packet_bytes} bytes" if report.max_packet_bytes else ""
    return f"{settings.place} speaks {report.protocol}{limit}"
