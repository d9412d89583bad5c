"""Small real videos, encoded on the spot."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

MakeClip = Callable[..., Path]


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    """Encode a moving square; returns the file."""

    def make(
        name: str = "clip.mkv",
        *,
        frames: int = 20,
        rate_hz: int = 10,
        size: tuple[int, int] = (64, 48),
        codec: str = "libx264",
        pixels: str = "yuv420p",
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate_hz)
            stream.width, stream.height = size
            stream.pix_fmt = pixels
            stream.options = {"bf": "0", "g": "10", "preset": "ultrafast"}
            for number in range(frames):
                picture = np.full((size[1], size[0], 3), 90, np.uint8)
                picture[8:24, number : number + 16] = 220
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make
