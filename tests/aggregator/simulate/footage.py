"""Small footage with anomalies that are easy to tell, for the tests of the simulation."""

import json
from pathlib import Path

import numpy as np


def walkers(frames: int, seed: int, *, runner: bool = False) -> np.ndarray:
    """Two people who walk, and one who runs in the second half: rows of a track clip."""
    rng = np.random.default_rng(seed)
    rows = []
    for track, speed in ((1, 60.0), (2, -70.0), (3, 320.0)):
        if track == 3 and not runner:
            continue
        t = np.arange(frames // 2 if track == 3 else 0, frames)
        x = 400 + speed * (t - t[0]) / 24 + rng.normal(0, 0.5, len(t))
        rows.append(np.stack([t, t * 0 + track, x - 20, t * 0 + 200, x + 20, t * 0 + 300], axis=1))
    return np.concatenate(rows).astype(np.int32)


def write_tracks(root: Path) -> Path:
    """A tracks folder of cameras 01 and 02, both splits; the second has no labelled test clip."""
    train = {f"{c:02}_{k:03}": walkers(240, 10 * c + k) for c in (1, 2) for k in range(4)}
    test = {f"{c:02}_{k:04}": walkers(240, 50 + k, runner=True) for c in (1, 2) for k in (1, 2)}
    np.savez(root / "tracks_train.npz", **train)
    np.savez(root / "tracks_test.npz", **test)
    labels = {name: [0] * 120 + [1] * 120 for name in ("01_0001", "01_0002")}
    (root / "test_frame_labels.json").write_text(json.dumps(labels))
    lists = {
        "ws_train.txt": ["01_000", "01_001", "01_0001", "02_000", "02_001", "02_0001"],
        "ws_test.txt": ["01_002", "01_0002", "02_002", "02_0002"],
    }
    for name, clips in lists.items():
        (root / name).write_text("\n".join(clips))
    return root
