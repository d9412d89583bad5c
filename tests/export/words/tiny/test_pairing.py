import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from export.words.tiny.pairing import augmented, balanced, forgetful, multi_nce, prepared
from export.words.tiny.sentences import BEGIN, UNKNOWN
from export.words.tiny.towers import PAD, SPEC

ACTS = torch.tensor([0, 1, 0, 1])


def test_pairs_that_lie_together_lose_less_than_pairs_that_do_not():
    together = (ACTS[:, None] == ACTS[None]).float()
    right = multi_nce(torch.cat([together, torch.zeros(4, 2)], dim=1), ACTS)
    wrong = multi_nce(torch.cat([1 - together, torch.zeros(4, 2)], dim=1), ACTS)
    assert right < wrong


def test_a_stranger_that_lies_near_costs():
    together = (ACTS[:, None] == ACTS[None]).float()
    far = multi_nce(torch.cat([together, torch.zeros(4, 1)], dim=1), ACTS)
    near = multi_nce(torch.cat([together, torch.ones(4, 1)], dim=1), ACTS)
    assert far < near


@given(seed=st.integers(0, 99), count=st.integers(3, 30))
def test_all_acts_are_drawn_equally_often(seed, count):
    acts = np.array([0] * 50 + [2] * 2 + [5])
    drawn = acts[balanced(acts, count, np.random.default_rng(seed))]
    counts = [int((drawn == act).sum()) for act in (0, 2, 5)]
    assert max(counts) - min(counts) <= 1


def test_crops_are_prepared_as_a_host_prepares_them():
    crops = np.random.default_rng(0).integers(0, 256, (3, *SPEC.size_px, 3), np.uint8)
    wanted = np.stack([SPEC.prepare(crop) for crop in crops])
    np.testing.assert_allclose(prepared(crops).numpy(), wanted, atol=1e-5)


def test_crops_of_one_tube_are_changed_alike():
    crop = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    tube = crop.repeat(1, 4, 1, 1)
    changed = augmented(tube, np.random.default_rng(0)).view(4, 3, 8, 8)
    for each in changed[1:]:
        torch.testing.assert_close(each, changed[0])
    assert not torch.allclose(changed[0], crop[0])


@pytest.mark.parametrize(("share", "left"), [(0.0, [5, 6, 7]), (1.0, [UNKNOWN] * 3)])
def test_words_are_forgotten_and_nothing_else(share, left):
    tokens = torch.tensor([[BEGIN, 5, 6, 7, PAD, PAD]])
    found = forgetful(tokens, np.array([share]), np.random.default_rng(0))
    assert found.tolist() == [[BEGIN, *left, PAD, PAD]]
