"""From the configuration to components: what every command that reads a config builds alike."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TextIO

from edge.alerts.alarm import Limits
from edge.alerts.console import Console
from edge.alerts.snapshot import SnapshotStore
from edge.alerts.zones import Zone
from edge.analysis import SPECS, LearningPlan
from edge.config import CameraSection, DetectorSection, EdgeConfig, MqttSection
from edge.errors import FeatureVersionError, ModelError
from edge.generation import Generations
from edge.ingest.feed import CameraFeed
from edge.ingest.latest import Mailbox
from edge.ingest.masks import PrivacyMasks
from edge.ingest.open import open_source
from edge.ingest.source import Source
from edge.ingest.synthetic.source import SyntheticSource, parse_street
from edge.model.artifact import load_artifact
from edge.model.signature import check_signature
from edge.model.words import load_words
from edge.mqtt import MqttBroker, MqttSettings, Tls
from edge.perception.detector import Detector
from edge.perception.gate import GateSettings
from edge.perception.network import Network, NetworkSettings
from edge.perception.perception import Perception
from edge.perception.tracker import TrackerSettings
from edge.scoring.model import CameraModel, ScoringOptions
from edge.scoring.store import load_camera_model
from edge.scoring.student import StudentTerm
from edge.scoring.words import Words
from edge.training.store import FeatureStore
from edge.wire.broker import Broker, Message
from edge.wire.states import AVAILABLE, GONE, STOPPED
from edge.wire.topics import Topics

log = logging.getLogger(__name__)

DAY_S = 86_400.0
CLEAR_BELOW_DECADES = 0.5
"""An event ends when the score is back below the threshold by this much: three times as common."""


def make_source(camera: CameraSection, *, paced: bool = True) -> Source:
    """The camera's source by the form of its address; raises SourceUnusableError."""
    address = camera.source
    scheme, _, rest = address.partition(":")
    if scheme in ("rtsp", "rtsps"):
        return open_source("rtsp", address, transport=camera.transport)
    if scheme == "synthetic":
        return SyntheticSource(parse_street(address), paced=paced)
    if scheme == "webcam":
        return open_source("webcam", rest)
    if Path(address).is_dir():
        return open_source("images", address, paced=paced)
    return open_source("file", address, paced=paced, loop=camera.loop)


def make_feed(name: str, camera: CameraSection, mailbox: Mailbox) -> CameraFeed:
    """The decoding thread of one camera; raises SourceUnusableError."""
    return CameraFeed(
        make_source(camera),
        mailbox,
        camera=name,
        analysis_hz=camera.analysis_hz,
        max_width=camera.max_width,
        masks=PrivacyMasks(camera.masks),
    )


def make_detector(section: DetectorSection) -> Detector | None:
    """The detector network; None: whatever moves is an object. Raises ModelError."""
    if section.model is None:
        return None
    classes = None if section.classes is None else frozenset(section.classes)
    weakest = min(NetworkSettings().confidence, section.min_confidence)
    settings = NetworkSettings(confidence=weakest, classes=classes)
    return Network(section.model, labels=section.labels, settings=settings)


def make_perception(section: DetectorSection, detector: Detector | None) -> Perception:
    """What looks at frames; several may share one ``detector``."""
    if detector is None:
        return Perception()
    return Perception(
        detector,
        tracking=TrackerSettings.beginning_at(section.min_confidence),
        gating=GateSettings(keep_alive_s=section.keep_alive_s),
    )


def mqtt_settings(section: MqttSection, *, client_id: str) -> MqttSettings:
    """How to reach the broker."""
    tls = section.tls
    return MqttSettings(
        host=section.host,
        port=section.port,
        client_id=client_id,
        username=section.username,
        password=section.password.get_secret_value() if section.password else None,
        tls=Tls(tls.ca, tls.cert, tls.key) if tls else None,
    )


def make_broker(config: EdgeConfig, topics: Topics, events: TextIO) -> Broker:
    """The broker, or ``events`` where none is enabled."""
    if not config.mqtt.enabled:
        return Console(events, topic=topics.events)
    here = partial(Message, topics.available, retain=True)
    return MqttBroker(
        mqtt_settings(config.mqtt, client_id=f"{config.mqtt.prefix}-{config.host}"),
        will=here(payload=GONE),
        birth=here(payload=AVAILABLE),
        farewell=here(payload=STOPPED),
    )


def make_snapshots(config: EdgeConfig) -> SnapshotStore | None:
    """Where pictures of alerts are kept; None: nowhere."""
    if not config.snapshots.enabled:
        return None
    return SnapshotStore(
        config.data_dir / "snapshots",
        max_age_s=config.snapshots.retain_days * DAY_S,
        max_bytes=int(config.snapshots.max_megabytes * 1e6),
    )


def store_path(config: EdgeConfig) -> Path:
    """Where the features of what the cameras saw are kept."""
    return config.data_dir / "features"


def learning_path(config: EdgeConfig) -> Path:
    """Where the learning process keeps its lock, its checkpoints and its latest outcome."""
    return config.data_dir / "learning"


def outcome_path(config: EdgeConfig) -> Path:
    """What became of the latest training."""
    return learning_path(config) / "outcome.json"


def federation_path(config: EdgeConfig) -> Path:
    """What a host keeps as a participant: its desk, what stays here, the ledgers."""
    return config.data_dir / "federation"


def ledger_path(config: EdgeConfig) -> Path:
    """What has left this host over the federation."""
    return federation_path(config) / "ledger.sqlite"


def budget_path(config: EdgeConfig) -> Path:
    """What this host has spent of its privacy budget."""
    return federation_path(config) / "privacy.json"


def make_store(config: EdgeConfig) -> FeatureStore | None:
    """What keeps features to learn from; None: nothing does."""
    section = config.learning.store
    if not section.enabled:
        return None
    return FeatureStore(
        store_path(config),
        max_age_s=section.max_age_days * DAY_S,
        max_bytes=int(section.max_megabytes * 1e6),
    )


def make_zones(camera: CameraSection) -> tuple[Zone, ...]:
    """The camera's named places."""
    return tuple(Zone(name, tuple(corners)) for name, corners in camera.zones.items())


def make_student(config: EdgeConfig) -> StudentTerm | None:
    """The student that ``vad-export`` made for this host; None: there is none.

    Raises ModelError where its folder or signature cannot be used, FeatureVersionError where it
    learnt other features.
    """
    section = config.exported_student
    if section is None:
        return None
    if section.signed_by is not None:
        check_signature(section.folder, section.signed_by)
    return StudentTerm.of(load_artifact(section.folder))


def other_rate(student: StudentTerm | None, camera: CameraSection) -> str | None:
    """What to say of a camera that is not looked at as often as its exported student's footage."""
    sampling = student.sampling if student else None
    if sampling is None or sampling.analysis_hz == camera.analysis_hz:
        return None
    return (
        f"analysis_hz is {camera.analysis_hz:g}, but its exported student learnt at "
        f"{sampling.analysis_hz:g} frames a second and may judge worse: set the same"
    )


def make_words(config: EdgeConfig) -> Words | None:
    """The word model of this host, loaded once; None: there is none. Raises ModelError."""
    section = config.words
    return None if section is None else Words(load_words(section.model), section.centres)


def learning_plan(
    config: EdgeConfig,
    camera: CameraSection,
    student: StudentTerm | None = None,
    words: Words | None = None,
) -> LearningPlan:
    """How the camera comes to a model, together with an exported ``student`` and ``words``."""
    return LearningPlan(
        student=student,
        words=words,
        period_s=config.learning.period_s,
        alarms_per_day=camera.alarms_per_day or config.alerts.alarms_per_camera_day,
        options=ScoringOptions(normality=config.learning.normality, motion=config.learning.motion),
    )


def model_path(config: EdgeConfig, camera: str) -> Path:
    """Where what the camera has learnt is kept."""
    return config.data_dir / "cameras" / f"{camera}.safetensors"


def find_model(
    config: EdgeConfig,
    camera: str,
    student: StudentTerm | None = None,
    words: Words | None = None,
) -> CameraModel | None:
    """What the camera has learnt with an exported ``student`` and ``words``; None: nothing yet.

    A file that was copied from another camera counts as this one's. Raises ModelError and
    FeatureVersionError for a file that cannot be used.
    """
    path = model_path(config, camera)
    if not path.exists():
        return None
    model = load_camera_model(path, SPECS, student=student, words=words)
    return replace(model, camera=camera)


def recall_model(
    config: EdgeConfig,
    camera: str,
    student: StudentTerm | None = None,
    words: Words | None = None,
) -> CameraModel | None:
    """The same for a process that must go on: what cannot be used is put aside and learnt anew."""
    try:
        return find_model(config, camera, student, words)
    except (ModelError, FeatureVersionError) as error:
        path = model_path(config, camera)
        aside = path.with_name(f"{path.name}.old")
        log.error("camera %s LEARNS ANEW, its model is put aside as %s: %s", camera, aside, error)
    try:
        path.replace(aside)
    except OSError as error:
        log.error("camera %s: %s cannot be moved: %s", camera, path, error.strerror)
    return None


def make_generations(config: EdgeConfig) -> Generations:
    """The adopted students of the host, and its cameras' models that go with them."""
    return Generations(config.data_dir / "models")


def limits(model: CameraModel, *, cooldown_s: float) -> Limits:
    """When a camera with this model raises and clears."""
    return Limits(
        raise_at=model.threshold,
        clear_below=model.threshold - CLEAR_BELOW_DECADES,
        cooldown_s=cooldown_s,
    )


def enabled_cameras(config: EdgeConfig) -> Iterable[tuple[str, CameraSection]]:
    """Names and sections of the cameras that are to be watched."""
    return ((name, camera) for name, camera in config.cameras.items() if camera.enabled)
