import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.training.prompts import LEAST_ROWS, SIGMA, learn_context

WIDTH = 16


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def footage(seed, count=200, prompts=5):
    """Action features near some of the prompts, all turned the same way by what a camera sees."""
    rng = np.random.default_rng(seed)
    texts = unit(rng.normal(size=(prompts, WIDTH)))
    turned = 0.8 * rng.normal(size=WIDTH) / np.sqrt(WIDTH)
    shown = texts[rng.integers(0, prompts, count)] + turned
    return unit(shown + 0.1 * rng.normal(size=(count, WIDTH))), texts


def surprise(actions, texts, labels):
    """Mean -log probability of the labels, each label counting alike."""
    cosines = actions @ texts.T / SIGMA
    rows = np.log(np.exp(cosines).sum(axis=1)) - cosines[np.arange(len(labels)), labels]
    return np.mean([rows[labels == label].mean() for label in np.unique(labels)])


@given(st.integers(0, 1000))
def test_learnt_prompts_have_length_one_and_follow_from_the_seed(seed):
    actions, texts = footage(seed, count=40)
    found = learn_context(actions, texts, steps=3, seed=seed)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(found, learn_context(actions, texts, steps=3, seed=seed))


@pytest.mark.parametrize("seed", range(3))
def test_each_object_answers_its_own_action_more_clearly(seed):
    actions, texts = footage(seed)
    labels = (actions @ texts.T).argmax(axis=1)
    learnt = learn_context(actions, texts)
    assert surprise(actions, learnt, labels) < surprise(actions, texts, labels)


@pytest.mark.parametrize("count", [0, LEAST_ROWS - 1])
def test_little_footage_leaves_the_prompts_as_they_are(count):
    actions, texts = footage(0, count=200)
    assert learn_context(actions[:count], texts) is texts
