import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.fixed_point import FixedPoint, size_of
from edge.domain.weights import shapes_of
from edge.errors import ConfigError

ULP = 2.0**-24  # of float32, relative


@st.composite
def rounds(draw):
    count = draw(st.integers(1, 12))
    limit = draw(st.floats(1e-3, 100))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    coding = FixedPoint(limit, count, draw(st.integers(1, 10_000)))
    examples = [int(n) for n in rng.integers(1, 20_000, count)]
    signs = [draw(st.sampled_from([-1.0, 1.0, 0.5])) for _ in range(count)]
    deltas = [
        {
            "b": np.float32(sign * limit * rng.uniform(0.999, 1, (2, 3))),
            "a": np.float32(limit * rng.uniform(-1, 1, 5)),
        }
        for sign in signs
    ]
    return coding, deltas, examples


@given(rounds())
def test_the_weighted_mean_is_within_the_stated_error_and_never_wraps(case):
    coding, deltas, examples = case
    words = [coding.encode(delta, n) for delta, n in zip(deltas, examples, strict=True)]
    mean, total = coding.decode_mean(np.sum(words, axis=0, dtype=np.uint32), shapes_of(deltas[0]))
    counted = [min(n, coding.max_examples) for n in examples]
    assert total == sum(counted)
    bound = coding.error_bound(len(deltas), total)
    for name, array in mean.items():
        plain = np.average([np.float64(d[name]) for d in deltas], axis=0, weights=counted)
        # float32 may lie just outside of a limit that is a float64
        assert np.all(np.abs(array - plain) <= bound + 4 * ULP * coding.limit)
        assert array.dtype == np.float32


def test_the_error_of_equal_weights_is_what_the_module_says():
    coding = FixedPoint(1.0, participants=10, max_examples=100)
    assert coding.error_bound(10, 1000) == pytest.approx(10 * 2.0**-32, rel=1e-6)


def test_beyond_the_limit_is_cut():
    coding = FixedPoint(1.0, participants=2, max_examples=1)
    mean, _ = coding.decode_mean(coding.encode({"a": np.float32([5, -7])}, 1), {"a": (2,)})
    np.testing.assert_allclose(mean["a"], [1, -1], atol=coding.error_bound(1, 1))


def test_noise_has_room():
    coding = FixedPoint.for_updates(
        clip_norm=2.0, noise_multiplier=0.5, participants=3, max_examples=1
    )
    assert coding.limit == 2.0 + 6 * 1.0


def test_a_sum_of_another_shape_or_of_nobody_is_refused():
    coding = FixedPoint(1.0, participants=2, max_examples=10)
    words = coding.encode({"a": np.zeros(3, np.float32)}, 4)
    assert len(words) == size_of({"a": (3,)})
    for wrong, shapes in ((words, {"a": (4,)}), (words * 0, {"a": (3,)})):
        with pytest.raises(ValueError, match="no such sum"):
            coding.decode_mean(wrong, shapes)


@pytest.mark.parametrize(
    ("limit", "participants", "max_examples"),
    [(0, 2, 2), (np.inf, 2, 2), (np.nan, 2, 2), (1, 0, 1), (1, 1, 0), (1, 1000, 2**22)],
)
def test_settings_that_could_wrap_are_refused(limit, participants, max_examples):
    with pytest.raises(ConfigError):
        FixedPoint(limit, participants, max_examples)
