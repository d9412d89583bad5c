import numpy as np
import pytest

from edge.domain.frame import Frame
from edge.domain.score import Reason


@pytest.mark.parametrize("size", [(48, 64), (49, 65), (2, 2)])
def test_frame_keeps_brightness_and_colour(size):
    bgr = np.full((*size, 3), (40, 120, 200), np.uint8)
    frame = Frame.from_bgr(bgr, camera="c", index=0, time_s=0, received_s=0)
    assert (frame.height, frame.width) == (size[0] & ~1, size[1] & ~1)
    assert frame.luma.shape == (frame.height, frame.width)
    assert np.abs(frame.bgr().astype(int) - (40, 120, 200)).max() <= 3


def test_reason_reads_as_a_sentence():
    fast = Reason("speed", 4.1, 1.6, "heights/s", above=True)
    assert str(fast) == "speed 4.1 heights/s, usual ≤ 1.6"
    assert str(Reason("straightness", 0.1, 0.82, "", above=False)) == (
        "straightness 0.1, usual ≥ 0.82"
    )
