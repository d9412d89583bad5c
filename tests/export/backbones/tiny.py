"""Networks small enough for tests, and a world without a network."""

import json
import socket
from pathlib import Path

import numpy as np
import open_clip
import pytest

CLIP = "tiny-clip"
CLIP_CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 32, "heads": 1, "layers": 1},
}


def add_tiny_clip(folder: Path) -> str:
    (folder / f"{CLIP}.json").write_text(json.dumps(CLIP_CONFIG))
    open_clip.add_model_config(folder / f"{CLIP}.json")
    return CLIP


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every attempt to reach somebody fails, and is listed."""
    tried: list[object] = []

    def refuse(self: socket.socket, address: object) -> None:
        tried.append(address)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    return tried


def cosines(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    return (found * wanted).sum(axis=1) / lengths
