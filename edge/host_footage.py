"""What the cameras of a host have to offer to a training, and what judges them meanwhile."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass

from edge.compose import enabled_cameras, find_model, make_generations, store_path
from edge.config import EdgeConfig
from edge.errors import ConfigError, FeatureVersionError, ModelError, NotLearntError
from edge.generation import Generations
from edge.model.spec import Head
from edge.scoring.model import CameraModel
from edge.training.material import Material
from edge.training.study import make_teacher
from edge.training.teaching import Teacher

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Footage:
    """What the cameras of a host have to offer to one training."""

    teacher: Teacher
    materials: list[Material]
    left_out: Mapping[str, str]  # cameras that do not teach, and why


def read_footage(config: EdgeConfig, head: Head, *, until_s: float) -> Footage:
    """Deal and read what every camera has stored; NotLearntError where none has enough.

    Raises ConfigError where no camera is enabled.
    """
    materials, left_out = [], {}
    thresholds = _thresholds(config)
    for camera, _ in enabled_cameras(config):
        try:
            material = Material(
                store_path(config),
                camera,
                threshold=thresholds.get(camera, math.inf),
                until_s=until_s,
            )
        except NotLearntError as error:
            left_out[camera] = str(error)
            continue
        materials.append(material)
    if not materials and not left_out:
        raise ConfigError("no camera is enabled: set enabled: true for one")
    if not materials:
        off = "" if config.learning.store.enabled else "; learning.store.enabled: false keeps none"
        raise NotLearntError("; ".join(left_out.values()) + off)
    teacher, known, more = make_teacher(head, materials)
    return Footage(teacher, known, left_out | more)


def running_models(config: EdgeConfig, generations: Generations) -> dict[str, CameraModel]:
    """What each camera is judged by at present; a camera that still learns is left out.

    As ``Watch``: a generation's model counts unless the camera has learnt anew since.
    """
    own, given = _own_models(config), _given_models(generations)
    newer = {
        name: given[name]
        for name, model in own.items()
        if name in given and given[name].created_s >= model.created_s
    }
    return {**own, **newer}


def _thresholds(config: EdgeConfig) -> dict[str, float]:
    """From where on footage is not normal: stored scores are of either model, so the lower one."""
    own, given = _own_models(config), _given_models(make_generations(config))
    return {
        name: min(models[name].threshold for models in (own, given) if name in models)
        for name in own.keys() | given.keys()
    }


def _own_models(config: EdgeConfig) -> dict[str, CameraModel]:
    """What the cameras have learnt by themselves; a model that cannot be used is none."""
    found = {}
    for camera, _ in enabled_cameras(config):
        try:
            model = find_model(config, camera)
        except (ModelError, FeatureVersionError) as error:
            log.warning("camera %s: its own model is not compared with: %s", camera, error)
            continue
        if model is not None:
            found[camera] = model
    return found


def _given_models(generations: Generations) -> Mapping[str, CameraModel]:
    """Those of the generation in force; one that cannot be used is none."""
    try:
        version = generations.current().version
        return {} if version is None else generations.load(version).models
    except (ModelError, FeatureVersionError) as error:
        log.warning("the present generation cannot be compared with: %s", error)
        return {}
