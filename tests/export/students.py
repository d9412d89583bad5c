"""Training folders with random weights, and what a command says."""

import json
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edge.domain.truth import FrameTruth
from edge.evaluation.synthetic import write_video
from edge.features import scene_segment
from edge.features.embedding import Look, embedding_spec
from edge.model.artifact import Sampling
from edge.model.spec import StudentSpec
from edge.model.student import make_student, weights_of
from export.cli import main
from export.dakd.folder import Training, save_training
from export.extract.origin import Origin
from tests.fakes.backbones import tiny_backbone

WIDTH = 8  # of the tiny backbone
DESCRIPTORS = sum(len(spec) for spec in scene_segment.SPECS)
FPS = 10.0


@lru_cache
def usual_eyes():
    """What tests look through if nothing else is said; equal wherever it is made."""
    with TemporaryDirectory() as folder:
        return tiny_backbone(Path(folder) / "eyes", width=WIDTH)


def origin(backbone=None, view="picture"):
    """Of the features that a backbone, or nobody, gave of footage at ``FPS``."""
    sampling = Sampling(FPS, 640)
    if backbone is None:
        versions = tuple(spec.spec_version for spec in scene_segment.SPECS)
        return Origin(versions, sampling, backbone=None, network=None, look=None, detector="motion")
    look = Look.of(view, backbone)
    versions = (embedding_spec(backbone, look).spec_version,)
    return Origin(versions, sampling, backbone.version, backbone.network, look, None)


def training_folder(
    folder, *, inputs=WIDTH, name="eyes", view="picture", window=4, seed=1, loud=1.0, **spec
):
    """A dakd student, of descriptors if it has as many inputs.

    ``loud``: how far its scores are apart.
    """
    learnt = origin() if inputs == DESCRIPTORS else origin(usual_eyes(), view)
    spec = StudentSpec("dakd", inputs, window=window, hidden=16, attention_heads=2, reach=3, **spec)
    weights = weights_of(make_student(spec, seed=seed))
    weights["network.fc3.weight"] = weights["network.fc3.weight"] * np.float32(loud)
    options, provenance = {"tau": 10.0}, {"seed": seed, "teacher": "large"}
    save_training(folder, Training(spec, (name,), (learnt,), weights, options, provenance))
    return folder


def features_folder(folder, backbone, *, lengths=(9, 12, 6), view="picture"):
    """What extraction leaves of a backbone, with drawn values; (m, d) by clip."""
    spec = embedding_spec(backbone, Look.of(view, backbone))
    rng = np.random.default_rng(5)
    clips = {}
    for number, length in enumerate(lengths):
        path = folder / "features" / ("train" if number else "test") / f"clip{number}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        clips[path.stem] = rng.normal(size=(length, len(spec))).astype(np.float32)
        np.save(path, clips[path.stem])
    record = {"format": "vad-extract-1", **origin(backbone, view).as_json()}
    (folder / "extract.json").write_text(json.dumps(record))
    return clips


def video(path, *, frames=80, seed=1):
    """A bright square that wanders over a dark picture whose colour drifts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, list(_pictures(frames, seed)), rate_hz=FPS)
    return path


def _pictures(frames, seed):
    rng = np.random.default_rng(seed)
    scene = rng.integers(0, 60, (64, 96, 3), np.uint8)
    drift = np.cumsum(rng.normal(0, 3, (frames, 3)), axis=0)
    for number in range(frames):
        picture = np.clip(scene + 40 + drift[number], 0, 255).astype(np.uint8)
        left, top = 2 * number % 80, 20 + number % 20
        picture[top : top + 16, left : left + 10] = 240
        yield picture, FrameTruth(number, number / FPS, ())


def command(capsys, *arguments, code=0):
    """What ``vad-export`` answers, or what it complains of when ``code`` is not 0."""
    capsys.readouterr()
    got = main([*map(str, arguments), "--format", "json"])
    said = capsys.readouterr()
    assert got == code, said.err
    return json.loads(said.out) if code == 0 else said.err
