from dataclasses import replace

import numpy as np
import pytest

from aggregator.strategies.averaging import FedAvg
from aggregator.strategies.fedpac import (
    CENTROIDS,
    COUNTS,
    KNOWN,
    MOMENTS,
    SPREAD,
    FedPAC,
    collaboration,
)
from aggregator.strategies.port import NO_STATE, LocalRule, Step
from edge.domain.weights import Weights, WeightUpdate
from edge.errors import ConfigError
from edge.model.spec import PENULTIMATE
from edge.training import feature_alignment
from edge.wire.rounds import MAX_CLUSTERS
from edge.wire.weights import decode_weights, encode_weights
from tests.aggregator.strategies.updates import MODEL, drawn_updates, drawn_weights, run

HEAD, BODY = "fc4.weight", "body.weight"
KINDS = [0, 0, 0, 1, 1, 1]


def features(kind: int, *, spread: float = 0.01, counts: tuple[float, float] = (30, 10)) -> Weights:
    """Of footage of a kind: where its segments lie, and how certain that is."""
    place = np.zeros((2, PENULTIMATE), np.float32)
    place[:, kind] = 1
    return {
        CENTROIDS: place * (kind + 1),
        COUNTS: np.float32(counts),
        MOMENTS: place,
        SPREAD: np.float32([spread]),
    }


def updates(seed: int = 0, kinds: list[int] = KINDS) -> list[WeightUpdate]:
    return [
        replace(update, delta={**update.delta, **features(kind)})
        for update, kind in zip(drawn_updates(seed, len(kinds)), kinds, strict=True)
    ]


def given(strategy: FedPAC, step: Step) -> dict[str, Weights]:
    clusters = strategy.clusters(step.model, step.state)
    return {cluster.members[0]: cluster.model for cluster in clusters}


def test_everybody_has_the_same_body_and_a_head_of_those_that_see_the_same():
    strategy, heard = FedPAC(), updates()
    step = run(strategy, heard)
    models = given(strategy, step)
    assert [*models] == [update.participant for update in heard]
    mean = run(FedAvg(), [replace(u, delta={n: u.delta[n] for n in MODEL}) for u in heard]).model
    for kind in (0, 1):
        own = [update for update, of in zip(heard, KINDS, strict=True) if of == kind]
        head = np.mean([MODEL[HEAD] + update.delta[HEAD] for update in own])
        for update in own:
            np.testing.assert_allclose(models[update.participant][HEAD], head, atol=0.02)
            np.testing.assert_allclose(models[update.participant][BODY], mean[BODY], atol=1e-6)


def test_who_is_alike_shares_and_who_is_uncertain_counts_less():
    alike = [features(0, spread=1.0), features(0, spread=3.0), features(1, spread=1.0)]
    own, *_, other = collaboration(alike)
    assert own[0] == pytest.approx(3 * own[1], rel=1e-3)
    assert other[2] > max(other[:2])
    certain = collaboration([features(0, spread=1e-6), features(0, spread=1e-6), features(1)])
    assert certain[0][2] < 1e-3


def test_centroids_are_weighted_by_segments_of_the_class_and_an_empty_class_is_not_known():
    strategy = FedPAC()
    first, second = updates(kinds=[0, 1])
    heard = [
        replace(first, delta={**first.delta, **features(0, counts=(30, 0))}),
        replace(second, delta={**second.delta, **features(1, counts=(10, 0))}),
    ]
    step = run(strategy, heard)
    published = strategy.published(step.model, step.state)
    assert published[CENTROIDS][0, :2].tolist() == [0.75, 0.5]  # (30 · 1, 10 · 2) / 40
    assert published[KNOWN].tolist() == [1, 0]
    assert strategy.published(MODEL, NO_STATE)[KNOWN].tolist() == [0, 0]


def test_who_is_silent_keeps_its_head_and_the_next_delta_is_one_of_the_own_head():
    strategy, heard = FedPAC(), updates()
    step = run(strategy, heard)
    before = given(strategy, step)
    alone = updates(1, [0])
    following = run(strategy, alone, model=step.model, state=step.state)
    after = given(strategy, following)
    expected = before["p000"][HEAD] + alone[0].delta[HEAD]
    np.testing.assert_allclose(after["p000"][HEAD], expected, rtol=1e-6)
    assert after["p003"][HEAD] == before["p003"][HEAD]
    heads = [model[HEAD] for model in after.values()]
    np.testing.assert_allclose(following.model[HEAD], np.mean(heads), rtol=1e-6)


def test_a_newcomer_begins_with_the_mean_head_and_labels_stay():
    strategy = FedPAC()
    step = run(strategy, updates())
    assert not strategy.place(MODEL, NO_STATE, {"new": None})
    state = strategy.place(step.model, step.state, {"a-newcomer": None})
    labels = {c.members: c.label for c in strategy.clusters(step.model, state)}
    assert labels[("a-newcomer",)] == 6
    assert {**labels, ("a-newcomer",): 6} == labels
    assert given(strategy, Step(step.model, state))["a-newcomer"][HEAD] == step.model[HEAD]
    following = run(strategy, updates(1), model=step.model, state=state)
    assert labels == {
        c.members: c.label for c in strategy.clusters(following.model, following.state)
    }


def test_who_has_left_is_forgotten_and_its_label_is_the_next_newcomer_s():
    strategy = FedPAC()
    step = run(strategy, updates())
    heads = given(strategy, step)
    after = strategy.retained(step, {"p000", "p002", "p003", "p004", "p005"})
    assert not any("p001" in name for name in after.state)
    assert given(strategy, after).keys() == heads.keys() - {"p001"}
    mean = np.mean([model[HEAD] for name, model in heads.items() if name != "p001"])
    np.testing.assert_allclose(after.model[HEAD], mean, rtol=1e-6)
    assert np.array_equal(after.model[BODY], step.model[BODY])
    placed = strategy.place(after.model, after.state, {"new": None, "newer": None})
    found = {c.members[0]: c.label for c in strategy.clusters(after.model, placed)}
    assert (found["p000"], found["new"], found["p005"], found["newer"]) == (0, 1, 5, 6)
    trained = [replace(update, participant="new") for update in updates(1, [0])]
    following = run(strategy, trained, model=after.model, state=after.state)
    found = {c.members[0]: c.label for c in strategy.clusters(following.model, following.state)}
    assert (found["new"], found["p002"]) == (1, 2)


def test_where_nobody_has_left_nothing_changes_and_nobody_may_be_left():
    strategy = FedPAC()
    step = run(strategy, updates())
    assert strategy.retained(step, {*given(strategy, step), "other"}) is step
    empty = strategy.retained(step, ())
    assert strategy.clusters(empty.model, empty.state) == ()
    assert empty.model[HEAD] == step.model[HEAD]


def test_the_state_survives_the_store():
    step = run(FedPAC(), updates())
    stored = decode_weights(encode_weights(step.state))
    assert stored.keys() == step.state.keys()
    assert all(np.array_equal(stored[name], array) for name, array in step.state.items())


def test_improved_models_have_their_own_heads_and_a_body_in_common():
    strategy = FedPAC()
    step = run(strategy, updates())
    better = {label: drawn_weights(np.random.default_rng(label)) for label in range(6)}
    improved = strategy.improved(step, better)
    models = [*given(strategy, improved).values()]
    for label, weights in better.items():
        assert models[label][HEAD] == weights[HEAD]
    body = np.mean([weights[BODY] for weights in better.values()], axis=0)
    np.testing.assert_allclose(models[0][BODY], body, rtol=1e-5, atol=1e-6)


def test_there_is_room_for_as_many_as_can_be_announced():
    strategy = FedPAC()
    full = run(strategy, updates(kinds=[0] * MAX_CLUSTERS))
    assert strategy.place(full.model, full.state, {"new": None}).keys() == full.state.keys()
    with pytest.raises(ConfigError, match="at most 100, and there are 101"):
        run(strategy, updates(kinds=[0] * (MAX_CLUSTERS + 1)))


def test_what_it_asks_of_participants():
    strategy = FedPAC(head_epochs=2, alignment=0.5)
    assert strategy.local == LocalRule(
        head=("fc4.*", "detector.fc3.*"), local_epochs=2, alignment=0.5
    )
    assert strategy.clustering


def test_names_are_those_that_hosts_know():
    for name in (CENTROIDS, KNOWN, COUNTS, MOMENTS, SPREAD):
        assert name in vars(feature_alignment).values()


@pytest.mark.parametrize("names", [("encoder.*",), ("*",)])
def test_a_model_needs_a_head_and_a_body(names):
    with pytest.raises(ConfigError, match=r"fedpac.*head.*norm1\.bias"):
        FedPAC(names=names).begin(MODEL)
