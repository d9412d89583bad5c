from dataclasses import replace

import numpy as np
import pytest

from aggregator.public.videos import PublicSet, PublicVideo
from edge.errors import DatasetError


def zeros(*shape: int):
    return np.zeros(shape, np.float32)


VIDEO = PublicVideo(
    name="a",
    abnormal=None,
    category="",
    objects=zeros(2),
    caption="",
    values=zeros(3, 4),
    visual=zeros(3, 5),
    text=zeros(6),
)
CLASSES = ("person", "car")


def test_a_set_tells_its_widths():
    assert PublicSet(
        CLASSES, (VIDEO, replace(VIDEO, name="b", values=zeros(9, 4), visual=zeros(9, 5)))
    ).widths == (4, 5, 6)
    assert PublicSet((), ()).widths == (0, 0, 0)


@pytest.mark.parametrize(
    "other",
    [
        {"name": "a"},
        {"objects": zeros(3)},
        {"values": zeros(0, 4), "visual": zeros(0, 5)},
        {"visual": zeros(2, 5)},
        {"values": zeros(3, 7)},
        {"text": zeros(7)},
        {"text": zeros(1, 6)},
        {"values": zeros(3)},
    ],
)
def test_what_does_not_fit_is_refused(other):
    with pytest.raises(DatasetError, match="public video"):
        PublicSet(CLASSES, (VIDEO, replace(VIDEO, **({"name": "b"} | other))))
