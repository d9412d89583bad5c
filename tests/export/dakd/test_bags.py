from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.export.dakd.toy import toy

torch = pytest.importorskip("torch")
bags_room = pytest.importorskip("export.dakd.bags")
balanced_batches, make_bags = bags_room.balanced_batches, bags_room.make_bags
shortened = bags_room.shortened


@given(length=st.integers(1, 200), segments=st.integers(2, 40))
def test_a_long_video_becomes_means_of_equal_stretches(length: int, segments: int):
    video = np.random.default_rng(length).normal(size=(length, 2)).astype(np.float32)
    short = shortened(video, segments)
    if length <= segments:
        np.testing.assert_array_equal(short, video)
        return
    assert short.shape == (segments, 2)
    bounds = [length * k // segments for k in range(segments + 1)]
    counts = np.diff(np.linspace(0, length, segments + 1).astype(int))
    assert counts.max() - counts.min() <= 1
    assert np.abs(np.cumsum(counts) - bounds[1:]).max() <= 1
    np.testing.assert_allclose(counts @ short, video.sum(axis=0), rtol=1e-3, atol=1e-3)


def test_short_videos_are_padded_at_their_end():
    features = toy()
    bags = make_bags(features, segments=10)
    assert bags.counted.shape == (16, 10)
    assert sorted(set(bags.counted.sum(dim=1).tolist())) == [9, 10]
    for view in bags.views:
        assert (view[bags.counted == 0] == 0).all()
        assert (view[bags.counted == 1] != 0).any(dim=-1).all()
    assert bags.abnormal.tolist() == [features.abnormal[name] for name in sorted(features.train)]


def test_a_part_is_as_long_as_its_longest_video():
    bags = make_bags(toy(), segments=32)
    part = bags.part(torch.tensor([2, 3]))  # of nine segments
    assert part.counted.shape == (2, 9)
    assert part.views[1].shape == (2, 9, 8)


@given(normal=st.integers(1, 40), abnormal=st.integers(1, 40), half=st.integers(1, 30))
def test_an_epoch_shows_both_classes_equally_and_every_video(normal, abnormal, half):
    flags = torch.tensor([False] * normal + [True] * abnormal)
    seen: Counter[int] = Counter()
    for rows in balanced_batches(flags, half, np.random.default_rng(0)):
        assert flags[rows].sum() * 2 == len(rows)
        assert len(rows) <= 2 * half
        seen.update(rows.tolist())
    assert set(seen) == set(range(normal + abnormal))
    for value in (False, True):
        times = [count for row, count in seen.items() if bool(flags[row]) is value]
        assert max(times) - min(times) <= 1
    assert sum(seen.values()) == 2 * max(normal, abnormal)
