"""Small students of every head."""

import numpy as np

from edge.model.spec import StudentSpec

INPUTS = 5
SPECS = [
    StudentSpec("clap", INPUTS, hidden=16),
    StudentSpec("temporal", INPUTS, window=4, hidden=16, attention_heads=2),
    StudentSpec("density", INPUTS, hidden=16),
    StudentSpec("dakd", INPUTS, window=4, hidden=16, attention_heads=2, reach=3, causal=True),
]
HEADS = [spec.head for spec in SPECS]


def segments(batch: int, length: int, *, inputs: int = INPUTS, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((batch, length, inputs)).astype(np.float32)
