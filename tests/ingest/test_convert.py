import av
import numpy as np
import pytest

from edge.ingest.convert import ImagePicture, VideoPicture

LUMA, U, V = 201, 90, 150


def flat_frame(pixels: str, size: tuple[int, int], *, full: bool) -> av.VideoFrame:
    frame = av.VideoFrame(*size, "yuv420p")
    for plane, value in zip(frame.planes, (LUMA, U, V), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    colours = "JPEG" if full else "MPEG"
    frame = frame.reformat(format=pixels, src_color_range=colours, dst_color_range=colours)
    frame.color_range = 2 if full else 1
    return frame


@pytest.mark.parametrize("size", [(64, 48), (66, 50), (65, 49), (130, 98)])
@pytest.mark.parametrize("max_width", [None, 64, 40])
@pytest.mark.parametrize(
    ("pixels", "full"),
    [
        ("yuv420p", False),
        ("yuv420p", True),
        ("yuvj420p", True),
        ("yuvj422p", True),
        ("yuv444p", False),
        ("nv12", False),
        ("nv12", True),
    ],
)
def test_the_range_of_the_stream_is_kept(
    pixels: str, full: bool, size: tuple[int, int], max_width: int | None
) -> None:
    planes = VideoPicture(flat_frame(pixels, size, full=full), 0.0, 0.0).planes(max_width)
    height = planes.shape[0] * 2 // 3
    assert planes.shape[1] <= (max_width or size[0])
    assert np.abs(planes[:height].astype(int) - LUMA).max() <= 1
    chroma = planes[height:].reshape(2, -1).astype(int)
    assert np.abs(chroma - [[U], [V]]).max() <= 1


def test_planes_of_the_right_size_are_copied_exactly() -> None:
    values = np.random.default_rng(0).integers(0, 256, (72, 64)).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(values, format="yuv420p")
    planes = VideoPicture(frame, 0.0, 0.0).planes(64)
    assert np.array_equal(planes, values)
    planes[:] = 0  # a copy: the decoder's buffer, a reference picture, stays whole
    assert np.array_equal(frame.to_ndarray(), values)


def test_an_odd_edge_is_cut_off_not_scaled() -> None:
    frame = av.VideoFrame(65, 49, "yuv420p")
    rows = np.arange(49, dtype=np.uint8)
    luma = np.zeros((49, frame.planes[0].line_size), np.uint8)
    luma[:] = rows[:, None]
    frame.planes[0].update(luma.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
    planes = VideoPicture(frame, 0.0, 0.0).planes(None)
    assert planes.shape == (72, 64)
    assert np.array_equal(planes[:48, 10], rows[:48])


@pytest.mark.parametrize("max_width", [None, 32])
def test_grey_stays_grey(max_width: int | None) -> None:
    frame = av.VideoFrame.from_ndarray(np.full((48, 64), 7, np.uint8), format="gray")
    planes = VideoPicture(frame, 0.0, 0.0).planes(max_width)
    height = planes.shape[0] * 2 // 3
    assert (planes[:height] == 7).all()
    assert (planes[height:] == 128).all()


def test_images_become_planes() -> None:
    bgr = np.full((49, 65, 3), 255, np.uint8)
    assert ImagePicture(bgr, 0.0, 0.0).planes(None).shape == (72, 64)
    assert ImagePicture(bgr, 0.0, 0.0).planes(32).shape == (36, 32)
    assert (ImagePicture(bgr, 0.0, 0.0).planes(None)[:48] == 235).all()
