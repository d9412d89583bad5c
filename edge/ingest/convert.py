"""Decoded pictures to I420 planes, the one pixel format behind the ingest room.

A stream's luma is kept as it is: a full-range camera stays full-range (0..255), a limited-range
one limited (16..235), a grey one grey with neutral chroma. Every camera is therefore consistent
with itself, which is all that brightness is used for; turning a full-range frame into BGR as
though it were limited makes the picture a little harder in contrast, nothing else. Rescaling the
range of each frame would cost more than all the rest of this module.
"""

from __future__ import annotations

import av
import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.frame import Bytes2d
from edge.ingest.source import Picture, analysis_size

Pixels = npt.NDArray[np.uint8]

NEUTRAL_CHROMA = 128
FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_RANGE_NAMES = {False: "MPEG", True: "JPEG"}


class VideoPicture(Picture):
    """A picture of the FFmpeg decoder; holds its buffer until it is converted or dropped."""

    __slots__ = ("_frame",)

    def __init__(self, frame: av.VideoFrame, media_s: float | None, received_s: float) -> None:
        super().__init__(media_s, received_s)
        self._frame = frame

    def planes(self, max_width: int | None) -> Bytes2d:
        """See `Picture.planes`: planes are copied where they fit, else scaled by swscale."""
        frame = self._frame
        width, height = analysis_size(frame.width, frame.height, max_width)
        pixels = frame.format.name
        if pixels.startswith("gray"):
            return _grey_planes(_fitted(frame, width, height, "gray"), width, height)
        full_range = pixels.startswith("yuvj") or frame.color_range == FULL_RANGE
        target = "yuvj420p" if full_range else "yuv420p"
        if pixels in ("yuv420p", "yuvj420p"):
            target = pixels
        return _i420_planes(_fitted(frame, width, height, target, full_range=full_range))


class ImagePicture(Picture):
    """A still image: (H, W, 3) BGR."""

    __slots__ = ("_bgr",)

    def __init__(self, bgr: Pixels, media_s: float | None, received_s: float) -> None:
        super().__init__(media_s, received_s)
        self._bgr = bgr

    def planes(self, max_width: int | None) -> Bytes2d:
        """See `Picture.planes`: limited range, as OpenCV converts."""
        height, width = self._bgr.shape[:2]
        size = analysis_size(width, height, max_width)
        if size[0] < width & ~1:
            bgr = cv2.resize(self._bgr, size, interpolation=cv2.INTER_AREA)
        else:
            bgr = self._bgr[: size[1], : size[0]]
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8)


def _fitted(
    frame: av.VideoFrame, width: int, height: int, pixels: str, *, full_range: bool = True
) -> av.VideoFrame:
    """Bring the frame into the wanted format, scaled unless only an odd edge has to be cut off."""
    if width == frame.width & ~1:
        width, height = frame.width, frame.height
    if (width, height, pixels) == (frame.width, frame.height, frame.format.name):
        return frame
    range_name = _RANGE_NAMES[full_range]
    return frame.reformat(
        width,
        height,
        pixels,
        interpolation="AREA",
        src_color_range=range_name,
        dst_color_range=range_name,
        threads=1,
    )


def _i420_planes(frame: av.VideoFrame) -> Bytes2d:
    """(H * 3 / 2, W) of a yuv420p frame; an odd last row or column is cut off."""
    width, height = frame.width & ~1, frame.height & ~1
    if (width, height) == (frame.width, frame.height):
        return np.asarray(frame.to_ndarray(format=frame.format.name), np.uint8)
    flat = np.empty(width * height * 3 // 2, np.uint8)
    luma, u, v = frame.planes
    ends = (0, width * height, width * height * 5 // 4, width * height * 3 // 2)
    flat[: ends[1]] = _plane(luma, width, height).ravel()
    flat[ends[1] : ends[2]] = _plane(u, width // 2, height // 2).ravel()
    flat[ends[2] :] = _plane(v, width // 2, height // 2).ravel()
    return flat.reshape(-1, width)


def _grey_planes(frame: av.VideoFrame, width: int, height: int) -> Bytes2d:
    planes = np.full((height * 3 // 2, width), NEUTRAL_CHROMA, np.uint8)
    planes[:height] = _plane(frame.planes[0], width, height)
    return planes


def _plane(plane: av.video.plane.VideoPlane, width: int, height: int) -> Bytes2d:
    """View the top left (height, width) of a padded plane."""
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return np.asarray(rows[:height, :width], np.uint8)
