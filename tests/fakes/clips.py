"""A small data set of clips on disk: a street where people walk, one of whom cycles at last."""

from pathlib import Path

from edge.evaluation.synthetic import write_dataset
from edge.ingest.synthetic import Planted, Street, StreetOptions

RATE_HZ = 10.0
TINY = {"width_px": 160, "height_px": 90, "fps": RATE_HZ}


def write_clips(root: Path, *, train: int = 2, train_s: float = 4.0, test_s: float = 3.4) -> Path:
    """``train`` clips of ``train_s`` and one test clip ``odd`` of ``test_s``, 10 Hz."""
    normal = {f"n{seed}": _street(seed, train_s) for seed in range(train)}
    odd = {"odd": _street(100, test_s, planted=(Planted("cycling", 1.0),))}
    write_dataset(root, train=normal, test=odd, rate_hz=RATE_HZ)
    return root


def _street(seed: int, duration_s: float, **options) -> Street:
    return Street(StreetOptions(**TINY, duration_s=duration_s, seed=seed, **options))
