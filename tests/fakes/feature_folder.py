"""A folder of segment features with anomalies that are easy to tell."""

import json
from pathlib import Path

import numpy as np

SEGMENT_FRAMES = 4
WIDTH = 6


def segments(count: int, anomalous: range, seed: int) -> np.ndarray:
    """Rows along one direction; ``anomalous`` ones are longer and spread over a quadrant."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(0, 1, (count, WIDTH)) * ([1] + [0.2] * (WIDTH - 1))
    rows[anomalous.start : anomalous.stop] += np.abs(rng.normal(0, 4, (len(anomalous), WIDTH)))
    return rows.astype(np.float32)


def write_features(root: Path, *, train: int = 12, test: int = 4) -> Path:
    """A feature folder: every third training clip and every second test clip is abnormal."""
    for split in ("train", "test"):
        (root / "features" / split).mkdir(parents=True)
    labels, videos = {}, {}
    for k in range(train):
        odd = range(5, 9) if k % 3 == 0 else range(0)
        np.save(root / "features" / "train" / f"n{k:02}.npy", segments(20, odd, k))
        videos[f"n{k:02}"] = int(len(odd) > 0)
    for k in range(test):
        odd = range(10, 14) if k % 2 == 0 else range(0)
        np.save(root / "features" / "test" / f"t{k}.npy", segments(16, odd, 100 + k))
        flags = np.zeros(16 * SEGMENT_FRAMES, int)
        flags[odd.start * SEGMENT_FRAMES : odd.stop * SEGMENT_FRAMES] = 1
        labels[f"t{k}"] = flags.tolist()
    (root / "annotations").mkdir()
    (root / "annotations" / "test_frame_labels.json").write_text(json.dumps(labels))
    (root / "annotations" / "train_video_labels.json").write_text(json.dumps(videos))
    return root
