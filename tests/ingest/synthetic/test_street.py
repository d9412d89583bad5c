from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError
from edge.ingest.synthetic import ANOMALIES, KINDS, Planted, Street, StreetOptions


def film(options: StreetOptions, frames: int):
    return list(islice(Street(options), frames))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_options_give_the_same_bits(kind):
    options = StreetOptions(kind=kind, seed=5, width_px=320, height_px=180)
    for (one, truth), (other, again) in zip(film(options, 4), film(options, 4), strict=True):
        np.testing.assert_array_equal(one, other)
        assert truth == again


def test_a_second_pass_shows_the_same_film():
    street = Street(StreetOptions(width_px=160, height_px=90, duration_s=0.3))
    first, second = list(street), list(street)
    assert len(first) == 3
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, second, strict=True))


def test_the_scene_seed_fixes_the_place_and_the_seed_the_people():
    place = Street(StreetOptions(scene_seed=3, seed=1)).painter.backdrop
    others = Street(StreetOptions(scene_seed=3, seed=2))
    elsewhere = Street(StreetOptions(scene_seed=4, seed=1)).painter.backdrop
    np.testing.assert_array_equal(place, others.painter.backdrop)
    assert np.abs(place.astype(int) - elsewhere).mean() > 5
    one = next(Street(StreetOptions(scene_seed=3, seed=1)).truths())
    assert one.objects != next(others.truths()).objects


@settings(deadline=None, max_examples=8)
@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**31),
    rates=st.tuples(st.sampled_from([5, 8, 10]), st.sampled_from([15, 25, 30])),
)
def test_the_frame_rate_does_not_change_what_happens(kind, seed, rates):
    def by_time(fps):
        street = Street(
            StreetOptions(
                kind=kind, seed=seed, fps=fps, duration_s=2, anomalies=ANOMALIES[kind],
                anomalies_per_minute=60,
            )
        )  # fmt: skip
        return {truth.time_s: truth.objects for truth in street.truths()}

    slow, fast = (by_time(fps) for fps in rates)
    shared = slow.keys() & fast.keys()
    assert len(shared) >= 2
    assert all(slow[time_s] == fast[time_s] for time_s in shared)


@settings(deadline=None, max_examples=6)
@given(seed=st.integers(0, 2**31), start_s=st.floats(1, 4))
def test_planting_an_anomaly_leaves_the_normal_crowd_as_it_was(seed, start_s):
    plain = StreetOptions(seed=seed, duration_s=5, fps=2)
    planted = StreetOptions(seed=seed, duration_s=5, fps=2, planted=(Planted("running", start_s),))

    def crowd(options):
        return [
            {each.box_xyxy for each in truth.objects if not each.anomalous}
            for truth in Street(options).truths()
        ]

    assert crowd(plain) == crowd(planted)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kind": "beach"}, "precinct, road, shop"),
        ({"kind": "road", "anomalies": ("vehicle",)}, "running, cycling"),
        ({"planted": (Planted("dancing", 3.0),)}, "dancing"),
        ({"anomalies": ("running",), "anomalies_per_minute": 0}, "above 0"),
        ({"width_px": 20}, "64 pixels"),
        ({"fps": 0}, "above 0"),
        ({"seed": -1}, "negative"),
    ],
)
def test_options_that_make_no_street_are_refused_at_once(options, says):
    with pytest.raises(ConfigError, match=says):
        Street(StreetOptions(**options))


def test_an_endless_street_keeps_nobody_who_has_left():
    present = [len(truth.objects) for truth in islice(_every_twenty_seconds(), 130)]
    assert max(present[65:]) < 60


def _every_twenty_seconds():
    """Of three quarters of an hour."""
    options = StreetOptions(fps=0.05, anomalies=ANOMALIES["precinct"], anomalies_per_minute=6)
    return Street(options).truths()
