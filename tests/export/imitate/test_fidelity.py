import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from export.imitate.fidelity import Yardstick, fidelity


def embeddings(seed, *, offset=3.0):
    return np.random.default_rng(seed).normal(offset, 1, (40, 6)).astype(np.float32)


@given(st.integers(0, 99))
def test_the_teacher_agrees_with_itself(seed):
    wanted = embeddings(seed)
    reached = fidelity(wanted, wanted, wanted.mean(axis=0))
    assert reached.cosine == pytest.approx(1, abs=1e-6)
    assert reached.explained == 1
    assert Yardstick.of(wanted).loss(*[torch.from_numpy(wanted)] * 2) == pytest.approx(0, abs=1e-4)


@given(st.integers(0, 99), st.floats(0, 9))
def test_always_giving_the_mean_explains_nothing_and_loses_two(seed, offset):
    wanted = embeddings(seed, offset=offset)
    mean = wanted.mean(axis=0)
    found = np.repeat(mean[None], len(wanted), axis=0)
    reached = fidelity(found, wanted, mean)
    assert reached.explained == pytest.approx(0, abs=1e-5)
    assert reached.cosine == pytest.approx(reached.cosine_of_mean, abs=1e-6)
    loss = Yardstick.of(wanted).loss(torch.from_numpy(found), torch.from_numpy(wanted))
    assert float(loss) == pytest.approx(2, rel=1e-2)


def test_what_is_nearer_loses_less():
    wanted = embeddings(0)
    noise = np.random.default_rng(1).normal(size=wanted.shape).astype(np.float32)
    yardstick = Yardstick.of(wanted)
    losses = [
        float(yardstick.loss(torch.from_numpy(wanted + far * noise), torch.from_numpy(wanted)))
        for far in (0.0, 0.1, 0.3, 1.0)
    ]
    assert losses == sorted(losses)


def test_a_teacher_that_says_one_thing_only_is_no_division_by_zero():
    wanted = np.ones((5, 3), np.float32)
    reached = fidelity(wanted, wanted, wanted[0])
    assert np.isfinite([reached.cosine, reached.explained]).all()
    assert np.isfinite(float(Yardstick.of(wanted).loss(*[torch.from_numpy(wanted)] * 2)))
