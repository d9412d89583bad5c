"""Clips in which four segments of an abnormal one are strange, as three backbones see them."""

import json
from pathlib import Path

import numpy as np

from edge.features.embedding import Look
from edge.model.artifact import Sampling
from export.dakd.features import FeatureSet, JudgedClip
from export.extract.origin import Origin

WIDTHS = {"a": 10, "b": 8, "c": 12}
SEGMENT_FRAMES = 4
LATENT = 4


def clip(rng, maps, *, abnormal: bool, length: int = 12):
    """T times (m, d_t), and which segments are strange."""
    hidden, odd = rng.normal(size=(length, LATENT)), np.zeros(length, bool)
    if abnormal:
        start = rng.integers(1, length - 5)
        odd[start : start + 4] = True
        hidden[odd, :2] += 4
    views = [hidden @ matrix + rng.normal(size=(length, matrix.shape[1])) for matrix in maps]
    return tuple(view.astype(np.float32) for view in views), odd


def toy(seed: int = 0, *, train: int = 16, test: int = 8, lengths=(12, 9)) -> FeatureSet:
    """Every second clip is abnormal; training clips differ in length."""
    rng = np.random.default_rng(seed)
    maps = [rng.normal(size=(LATENT, width)) for width in WIDTHS.values()]
    videos = {
        f"v{k:02}": clip(rng, maps, abnormal=k % 2 == 0, length=lengths[k % 4 // 2])[0]
        for k in range(train)
    }
    judged = {}
    for k in range(test):
        views, odd = clip(rng, maps, abnormal=k % 2 == 0)
        starts = np.arange(len(odd)) * SEGMENT_FRAMES
        judged[f"t{k}"] = JudgedClip(views, np.repeat(odd, SEGMENT_FRAMES), starts)
    abnormal = {name: int(name[1:]) % 2 == 0 for name in videos}
    return FeatureSet(tuple(WIDTHS), videos, abnormal, judged, ())


def origin(backbone: str, *, analysis_hz: float = 5.0) -> Origin:
    """As if a backbone of that name had seen whole pictures."""
    versions = (f"scene-embedding picture x4 by {backbone}-1",)
    return Origin(versions, Sampling(analysis_hz, 640), backbone, None, Look(), None)


def write(root: Path, features: FeatureSet) -> Path:
    """One feature folder for each backbone."""
    for place, backbone in enumerate(features.backbones):
        folder = root / backbone
        for split in ("train", "test"):
            (folder / "features" / split).mkdir(parents=True)
        for name, views in features.train.items():
            np.save(folder / "features" / "train" / f"{name}.npy", views[place])
        for name, judged in features.test.items():
            np.save(folder / "features" / "test" / f"{name}.npy", judged.views[place])
        frames = {name: each.labels.astype(int).tolist() for name, each in features.test.items()}
        videos = {name: int(value) for name, value in features.abnormal.items()}
        (folder / "annotations").mkdir()
        (folder / "annotations" / "test_frame_labels.json").write_text(json.dumps(frames))
        (folder / "annotations" / "train_video_labels.json").write_text(json.dumps(videos))
        record = {"format": "vad-extract-1", **origin(backbone).as_json()}
        (folder / "extract.json").write_text(json.dumps(record))
        declared = {"segment_frames": SEGMENT_FRAMES}
        (folder / "dataset.json").write_text(json.dumps(declared))
    return root
