import threading
from contextlib import closing
from itertools import islice

import pytest

from edge.errors import SourceUnusableError
from edge.ingest.synthetic import (
    Planted,
    StreetOptions,
    SyntheticSource,
    parse_street,
    street_splits,
)  # fmt: skip

SMALL = StreetOptions(width_px=128, height_px=72, fps=20, duration_s=0.5)


def test_a_street_is_read_as_fast_as_possible_to_its_end():
    source = SyntheticSource(SMALL, paced=False)
    pictures = list(source.pictures(threading.Event()))
    assert [picture.media_s for picture in pictures] == [index / 20 for index in range(10)]
    assert not source.live
    assert source.info is not None
    assert (source.info.width, source.info.height, source.info.rate_hz) == (128, 72, 20)


def test_a_picture_converts_to_planes_of_the_analysis_size():
    with closing(SyntheticSource(SMALL, paced=False).pictures(threading.Event())) as pictures:
        first = next(pictures)
    assert first.planes(None).shape == (108, 128)
    assert first.planes(64).shape == (54, 64)


def test_reopening_begins_anew():
    source = SyntheticSource(SMALL, paced=False)
    truths = [
        [picture.truth for picture in islice(source.pictures(threading.Event()), 3)]
        for _ in range(2)
    ]
    assert truths[0] == truths[1]


def test_a_paced_street_stops_when_told():
    stop = threading.Event()
    source = SyntheticSource(StreetOptions(width_px=128, height_px=72), paced=True)
    assert source.live
    seen = 0
    for _ in source.pictures(stop):
        seen += 1
        stop.set()
    assert seen == 1


def test_an_address_names_a_street():
    options = parse_street(
        "synthetic:road?seed=3&scene=7&size=320x180&fps=15&duration=60&normal=5"
        "&anomalies=running,loitering&per_minute=1.5&planted=wrong_way@20,running@45.5"
    )
    assert options == StreetOptions(
        kind="road", seed=3, scene_seed=7, width_px=320, height_px=180, fps=15, duration_s=60,
        normal_s=5, anomalies=("running", "loitering"), anomalies_per_minute=1.5,
        planted=(Planted("wrong_way", 20), Planted("running", 45.5)),
    )  # fmt: skip
    assert parse_street("shop") == StreetOptions(kind="shop")


@pytest.mark.parametrize(
    "address", ["precinct?speed=3", "precinct?seed=x", "road?size=10", "road?planted=running"]
)
def test_an_address_that_does_not_fit_is_refused(address):
    with pytest.raises(SourceUnusableError, match="synthetic street"):
        parse_street(address)


@pytest.mark.parametrize("address", ["beach", "road?anomalies=vehicle", "road?planted=flying@3"])
def test_a_street_that_cannot_be_is_refused_before_it_is_opened(address):
    with pytest.raises(SourceUnusableError):
        SyntheticSource(parse_street(address))


def test_splits_share_the_scene_and_no_seed():
    splits = street_splits(StreetOptions(scene_seed=9, seed=2, kind="road"))
    clips = [*splits.train.values(), *splits.test.values()]
    assert {(clip.scene_seed, clip.kind) for clip in clips} == {(9, "road")}
    assert len({clip.seed for clip in clips}) == len(clips) == 10
    assert not any(clip.anomalies for clip in splits.train.values())
    assert all(clip.anomalies for clip in splits.test.values())
