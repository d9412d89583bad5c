"""The one schema of ``configs/*.yaml``. Paths are relative to the file's own folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    model_validator,
)

from edge.errors import ConfigError
from edge.ingest.masks import polygon
from edge.schema import Id, Positive, Section, TlsSection, beside, read_config


def _with_area(corners: list[tuple[float, float]]) -> list[tuple[float, float]]:
    try:
        polygon(corners, "polygon")
    except ConfigError as error:  # what pydantic gathers, with its line, are ValueErrors
        raise ValueError(str(error)) from None
    return corners


Fraction = Annotated[float, Field(ge=0, le=1)]
Polygon = Annotated[
    list[tuple[Fraction, Fraction]], Field(min_length=3), AfterValidator(_with_area)
]


class MqttSection(Section):
    """Where alerts go. ``enabled: false`` prints them as JSON lines instead."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    tls: TlsSection | None = None
    prefix: Id = "vad"
    home_assistant: bool = True


class DetectorSection(Section):
    """What finds objects: ``motion`` needs no weights, ``onnx`` runs a network where it moves."""

    kind: Literal["motion", "onnx"] = "motion"
    model: Path | None = None
    labels: Path | None = None  # one class name a line; default: the model's own metadata
    classes: list[str] | None = None  # only these are followed; default: all
    min_confidence: Fraction = 0.25
    keep_alive_s: Positive = 10.0  # the network looks at least this often

    @classmethod
    def of_files(cls, model: Path | None, labels: Path | None) -> DetectorSection:
        """The default section for a command line's ``--model`` and ``--labels``."""
        if labels is not None and model is None:
            raise ConfigError("--labels goes with --model FILE: motion knows no classes")
        return cls(kind="onnx" if model else "motion", model=model, labels=labels)

    @model_validator(mode="after")
    def _model_goes_with_onnx(self) -> DetectorSection:
        if self.kind == "onnx" and self.model is None:
            raise ValueError("kind: onnx needs model: PATH of a .onnx file")
        if self.kind == "motion" and (self.model or self.labels or self.classes):
            raise ValueError("model, labels and classes go with kind: onnx")
        return self


class StoreSection(Section):
    """The features of what the cameras saw, kept on this host to learn from; never pixels."""

    enabled: bool = True
    max_age_days: Positive = 30.0
    max_megabytes: Positive = 1000.0  # of each camera


class StudentSection(Section):
    """The small network that this host trains on what it stored, in a process of its own."""

    enabled: bool = False  # ``run`` sees to it; ``vad-edge learn`` trains whenever it is called
    head: Literal["density", "clap", "temporal"] = "density"
    every_h: Positive = 24.0  # ``run``: after the end of the last training
    steps: int = Field(default=3000, ge=1)  # batches of a training
    hidden: int = Field(default=256, ge=8)  # width of the network
    tried_on_s: Positive = 600.0  # footage of each camera on which a new student is tried


class ExportedStudentSection(Section):
    """A student that ``vad-export`` made: it judges with what each camera learns by itself."""

    folder: Path
    signed_by: Path | None = None  # public key; default: signed by nobody, or by whomever


class WordsSection(Section):
    """A word model that ``vad-export`` made: cameras learn which actions are normal, in words."""

    model: Path  # its folder
    centres: int = Field(default=10, ge=1, le=1000)  # normal patterns of a camera; rare ones add
    embeddings_per_s: Annotated[float, Field(ge=1)] = 40.0  # of all cameras of this host


class LearningSection(Section):
    """How a camera learns what is normal."""

    period_s: Positive = 3600.0  # of live footage before a new camera is scored
    normality: Literal["neighbours", "kmeans"] = "neighbours"
    motion: bool = True  # false: only words and an exported student judge
    # Off: a threshold holds for the normality that it was measured with, and each update shrinks
    # the scores of what it has seen. Drift then shows as alarms, never as silent blindness.
    adapt: bool = False
    store: StoreSection = StoreSection()
    student: StudentSection = StudentSection()

    @model_validator(mode="after")
    def _student_reads_the_store(self) -> LearningSection:
        if self.student.enabled and not self.store.enabled:
            raise ValueError("student.enabled needs store.enabled: it learns from what is stored")
        return self


class PrivacySection(Section):
    """All that this host may ever give away of its footage to a federation (Gaussian noise)."""

    epsilon: Positive
    delta: Annotated[float, Field(gt=0, lt=1)] = 1e-5


class FederationSection(Section):
    """The hosts with which this one learns; ``vad-aggregator provision`` writes the first three."""

    name: Id
    signing_key: Path
    aggregator_key: Path
    privacy: PrivacySection | None = None  # default: as the federation asks, without a limit


class AlertsSection(Section):
    """When an alarm is raised."""

    alarms_per_camera_day: Positive = 2.0  # the false-alarm budget that sets each threshold
    cooldown_s: Positive = 30.0


class SnapshotsSection(Section):
    """Local pictures of alerts; they leave the host only with ``publish: true``."""

    enabled: bool = True
    publish: bool = False
    retain_days: Positive = 14.0
    max_megabytes: Positive = 2000.0


class CameraSection(Section):
    """One camera."""

    source: str = Field(min_length=1, repr=False)  # may hold a password
    transport: Literal["tcp", "udp"] = "tcp"
    loop: bool = False  # a file begins again when it ends
    analysis_hz: Positive = 5.0
    max_width: int = Field(default=640, ge=64, le=7680)
    masks: list[Polygon] = Field(default_factory=list)
    zones: dict[Id, Polygon] = Field(default_factory=dict)
    alarms_per_day: Positive | None = None  # default: alerts.alarms_per_camera_day
    enabled: bool = True


class EdgeConfig(Section):
    """The whole file."""

    host: Id
    data_dir: Path = Path("data")
    mqtt: MqttSection = MqttSection()
    detector: DetectorSection = DetectorSection()
    learning: LearningSection = LearningSection()
    alerts: AlertsSection = AlertsSection()
    snapshots: SnapshotsSection = SnapshotsSection()
    exported_student: ExportedStudentSection | None = None
    words: WordsSection | None = None
    federation: FederationSection | None = None
    cameras: Annotated[dict[Id, CameraSection], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_student_judges(self) -> EdgeConfig:
        if self.exported_student and (self.learning.student.enabled or self.federation):
            raise ValueError(
                "exported_student excludes learning.student.enabled and federation: "
                "a camera is judged by one student"
            )
        return self

    @model_validator(mode="after")
    def _words_are_of_the_live_path(self) -> EdgeConfig:
        if self.words and (self.learning.student.enabled or self.federation):
            raise ValueError(
                "words excludes learning.student.enabled and federation: "
                "what they calibrate with is kept without actions"
            )
        return self

    @model_validator(mode="after")
    def _somebody_judges(self) -> EdgeConfig:
        if not (self.learning.motion or self.words or self.exported_student):
            raise ValueError("learning.motion: false needs words or exported_student: who judges?")
        return self

    @model_validator(mode="after")
    def _federation_is_met_over_mqtt(self) -> EdgeConfig:
        if self.federation is not None and not self.mqtt.enabled:
            raise ValueError("federation needs mqtt.enabled: it is met on the broker")
        return self


def load_config(path: Path, environment: Mapping[str, str] = os.environ) -> EdgeConfig:
    """Read and check one file; relative paths come out absolute.

    Raises ConfigError with every mistake that was found, one a line.
    """
    config = read_config(EdgeConfig, path, environment, example="configs/edge.yaml")
    return _anchored(config, path)


def _anchored(config: EdgeConfig, path: Path) -> EdgeConfig:
    """Make paths that the operator wrote relative to the file independent of the shell's folder."""
    at = beside(path)
    tls = config.mqtt.tls
    detector = config.detector.model_copy(
        update={"model": at(config.detector.model), "labels": at(config.detector.labels)}
    )
    federation = config.federation
    if federation is not None:
        keys = {name: at(getattr(federation, name)) for name in ("signing_key", "aggregator_key")}
        federation = federation.model_copy(update=keys)
    exported = config.exported_student
    if exported is not None:
        names = {"folder": at(exported.folder), "signed_by": at(exported.signed_by)}
        exported = exported.model_copy(update=names)
    words = config.words and config.words.model_copy(update={"model": at(config.words.model)})
    cameras = {
        name: camera.model_copy(
            update={"source": _anchored_source(camera.source, path.resolve().parent)}
        )
        for name, camera in config.cameras.items()
    }
    return config.model_copy(
        update={
            "cameras": cameras,
            "data_dir": at(config.data_dir),
            "mqtt": config.mqtt.model_copy(update={"tls": tls and tls.anchored(at)}),
            "detector": detector,
            "exported_student": exported,
            "words": words,
            "federation": federation,
        }
    )


def _anchored_source(address: str, folder: Path) -> str:
    """A path counts from the file's folder; rtsp:, webcam: and synthetic: are left alone."""
    has_scheme = re.match(r"[a-z]+:", address)
    return address if has_scheme else str(folder / Path(address).expanduser())
