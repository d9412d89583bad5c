import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import TrainingError
from edge.training.norms import CLIP, Usual, norms

KINDS = ["descriptor", "excess", "embedding"]


def footage(seed: int = 0, width: int = 6) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    scale = 10.0 ** np.arange(width)
    return [(rng.standard_normal((40, width)) * scale + 5 * scale).astype("f") for _ in range(5)]


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_unusual_for_the_camera_has_the_larger_norm(kind):
    """The very thing that CLAP's statistics suppose of a feature."""
    rng = np.random.default_rng(1)
    usual, odd = rng.standard_normal(8) + 3, rng.standard_normal(8) + 6
    normal = (usual + 0.1 * rng.standard_normal((200, 8))).astype(np.float32)
    strange = (odd + 0.1 * rng.standard_normal((10, 8))).astype(np.float32)
    if kind == "embedding":  # of length 1: its own norm says nothing
        normal, strange = unit(normal), unit(strange)
    fitted = Usual.fit([normal, strange], kind)
    assert norms(fitted.residuals(strange)).min() > norms(fitted.residuals(normal)).max()


@pytest.mark.parametrize("kind", ["descriptor", "excess"])
def test_units_do_not_matter(kind):
    videos = footage()
    other = [video * np.float32(2) ** np.arange(-3, 3) + 7 for video in videos]
    one = Usual.fit(videos, kind).residuals(videos[0])
    two = Usual.fit(other, kind).residuals(other[0].astype("f"))
    np.testing.assert_allclose(one, two, atol=1e-3)


def test_excess_ignores_what_is_too_little():
    videos = footage()
    usual = Usual.fit(videos, "excess")
    low = usual.centre[None] - 3 * usual.spread
    assert norms(usual.residuals(low)) == 0
    assert norms(Usual.fit(videos, "descriptor").residuals(low)) > 5


@given(st.floats(-(2.0**100), 2.0**100, width=32))
def test_one_wild_value_does_not_rule(value: float):
    rows = np.zeros((1, 6), np.float32)
    rows[0, 0] = value
    residual = Usual.fit(footage(), "descriptor").residuals(rows)
    assert np.isfinite(residual).all()
    assert np.abs(residual).max() <= CLIP


@pytest.mark.parametrize("kind", KINDS)
def test_features_that_never_change_are_no_division_by_zero(kind):
    video = np.full((5, 3), 2.0, np.float32)
    assert not norms(Usual.fit([video], kind).residuals(video)).any()


def test_a_mostly_constant_feature_keeps_its_plain_spread():
    video = np.zeros((40, 1), np.float32)
    video[:4] = 1.0
    usual = Usual.fit([video], "descriptor")
    assert usual.spread[0] == pytest.approx(0.3)


def test_nothing_was_seen():
    with pytest.raises(TrainingError, match="no segment"):
        Usual.fit([np.zeros((0, 3), np.float32)], "embedding")
