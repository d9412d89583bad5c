"""From the configuration to components: what every command that reads a config builds alike."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edge.alerts.alarm import Limits
from edge.alerts.zones import Zone
from edge.analysis import SPECS, LearningPlan
from edge.config import CameraSection, DetectorSection, EdgeConfig, MqttSection
from edge.ingest.open import open_source
from edge.ingest.source import Source
from edge.ingest.synthetic.source import SyntheticSource, parse_street
from edge.mqtt import MqttSettings, Tls
from edge.perception.detector import Detector
from edge.perception.gate import GateSettings
from edge.perception.network import Network, NetworkSettings
from edge.scoring.model import CameraModel, ScoringOptions
from edge.scoring.store import load_camera_model

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


def make_detector(section: DetectorSection) -> Detector | None:
    """The detector network; None: whatever moves is an object. Raises ModelError."""
    if section.model is None:
        return None
    classes = None if section.classes is None else frozenset(section.classes)
    settings = NetworkSettings(classes=classes)
    return Network(section.model, labels=section.labels, settings=settings)


def make_gating(section: DetectorSection) -> GateSettings:
    """When that network looks."""
    return GateSettings(keep_alive_s=section.keep_alive_s)


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


def make_zones(camera: CameraSection) -> tuple[Zone, ...]:
    """The camera's named places."""
    return tuple(Zone(name, tuple(corners)) for name, corners in camera.zones.items())


def learning_plan(config: EdgeConfig, camera: CameraSection) -> LearningPlan:
    """How the camera comes to a model."""
    return LearningPlan(
        period_s=config.learning.period_s,
        alarms_per_day=camera.alarms_per_day or config.alerts.alarms_per_camera_day,
        options=ScoringOptions(normality=config.learning.normality),
    )


def model_path(config: EdgeConfig, camera: str) -> Path:
    """Where what the camera has learnt is kept."""
    return config.data_dir / "cameras" / f"{camera}.safetensors"


def find_model(path: Path) -> CameraModel | None:
    """What the camera has learnt, None when it has not yet.

    Raises ModelError and FeatureVersionError for a file that cannot be used.
    """
    return load_camera_model(path, SPECS) if path.exists() else None


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
