import logging
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.weights import shapes_of
from edge.errors import ModelError, StorageError
from edge.federation.feedback import ErrorFeedback, read_residual
from edge.wire.compression import SCHEMES, decode_delta
from edge.wire.weights import encode_weights

SHAPES = {"head.bias": (5,), "head.weight": (6, 40)}
schemes = st.sampled_from(sorted(SCHEMES))
lossy = pytest.mark.parametrize("scheme", sorted(set(SCHEMES) - {"fp32"}))


def drawn(generator):
    return {n: generator.normal(size=shape).astype(np.float32) for n, shape in SHAPES.items()}


def flat(weights):
    return np.concatenate([weights[name].ravel() for name in sorted(SHAPES)])


def sent_in_all(deltas, scheme, accepted=lambda _: True):
    feedback, total = ErrorFeedback(), 0.0
    for number, delta in enumerate(deltas):
        payload, residual = feedback.propose(delta, scheme)
        if accepted(number):
            total = total + flat(decode_delta(payload, SHAPES)).astype(float)
            feedback.commit(residual)
    return total, feedback.residual


@given(schemes, st.integers(0, 2**32), st.integers(1, 12))
def test_what_was_sent_and_the_residual_are_the_sum_of_the_deltas(scheme, seed, rounds):
    generator = np.random.default_rng(seed)
    deltas = [drawn(generator) for _ in range(rounds)]
    sent, residual = sent_in_all(deltas, scheme)
    left = 0.0 if residual is None else flat(residual)
    np.testing.assert_allclose(sent + left, sum(map(flat, deltas)), atol=1e-4)


@lossy
def test_the_share_that_is_still_owed_vanishes(scheme):
    delta = drawn(np.random.default_rng(3))
    owed = []
    for rounds in (1, 10, 100):
        sent, _ = sent_in_all([delta] * rounds, scheme)
        owed.append(np.linalg.norm(sent / rounds - flat(delta)) / np.linalg.norm(flat(delta)))
    assert all(later < 0.5 * earlier for earlier, later in pairwise(owed))
    assert owed[-1] < 0.1


def test_without_feedback_the_small_entries_would_never_arrive():
    delta = drawn(np.random.default_rng(3))
    sent, _ = sent_in_all([delta] * 100, "sparse")
    payload, _ = ErrorFeedback().propose(delta, "sparse")
    alone = flat(decode_delta(payload, SHAPES))
    assert (alone == 0).mean() > 0.8
    assert (sent == 0).mean() < 0.1


@given(st.integers(0, 2**32), st.sets(st.integers(0, 7)))
def test_an_update_that_was_refused_leaves_no_trace(seed, refused):
    generator = np.random.default_rng(seed)
    deltas = [drawn(generator) for _ in range(8)]
    kept = [delta for number, delta in enumerate(deltas) if number not in refused]
    sent, _ = sent_in_all(deltas, "int4", accepted=lambda number: number not in refused)
    again, _ = sent_in_all(kept, "int4")
    assert np.array_equal(sent, again)


def test_the_exact_scheme_pays_all_debts():
    delta = drawn(np.random.default_rng(3))
    feedback = ErrorFeedback()
    _, residual = feedback.propose(delta, "sparse")
    feedback.commit(residual)
    payload, rest = feedback.propose(delta, "fp32")
    owed = flat(delta) + flat(residual)
    assert np.array_equal(flat(decode_delta(payload, SHAPES)), owed)
    assert rest is None


def test_the_rest_of_another_network_is_dropped(caplog):
    delta = drawn(np.random.default_rng(3))
    foreign = ErrorFeedback({"head.bias": np.ones(4, np.float32)})
    assert foreign.propose(delta, "int8")[0] == ErrorFeedback().propose(delta, "int8")[0]
    assert "another network" in caplog.text


def test_a_sum_that_overflows_is_refused():
    huge = {name: np.full(shape, 3e38, np.float32) for name, shape in SHAPES.items()}
    with pytest.raises(ModelError, match="not finite"):
        ErrorFeedback(huge).propose(huge, "int8")


def test_a_residual_survives_on_the_disk(tmp_path):
    assert read_residual(tmp_path / "rest") is None
    residual = drawn(np.random.default_rng(3))
    (tmp_path / "rest").write_bytes(encode_weights(residual))
    again = read_residual(tmp_path / "rest")
    assert shapes_of(again) == SHAPES
    assert np.array_equal(flat(again), flat(residual))


def test_a_damaged_residual_is_put_aside(tmp_path, caplog):
    path = tmp_path / "rest"
    path.write_bytes(encode_weights(drawn(np.random.default_rng(3)))[:-1])
    with caplog.at_level(logging.WARNING):
        assert read_residual(path) is None
    assert "rest.damaged" in caplog.text
    assert [p.name for p in tmp_path.iterdir()] == ["rest.damaged"]
    assert read_residual(path) is None


def test_a_residual_that_cannot_be_read_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="cannot read"):
        read_residual(tmp_path)
