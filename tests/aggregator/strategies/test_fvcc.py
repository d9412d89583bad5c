from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.clustering.number import MOST
from aggregator.strategies.fvcc import FVCC, STREET
from aggregator.strategies.port import NO_STATE, Step
from aggregator.strategies.registry import make_strategy
from edge.domain.weights import Weights, WeightUpdate, added
from edge.errors import ConfigError
from edge.wire.weights import decode_weights, encode_weights
from tests.aggregator.strategies.updates import (
    MODEL,
    drawn_updates,
    drawn_weights,
    flat,
    run,
    seeds,
)

ROAD, PRECINCT = np.eye(len(STREET), dtype=np.float32)[[2, 0]]
KINDS = {"road": ROAD, "precinct": PRECINCT}
PLACES = ["road", "precinct"] * 3


def heard(
    seed: int, places: Sequence[str] = PLACES, *, strategy: FVCC | None = None
) -> list[WeightUpdate]:
    """p000, p001, ...: each learns what is learnt in its kind of place, and sees what is there."""
    expected = (strategy or FVCC()).expects(MODEL)
    like = {name: np.zeros(shape, np.float32) for name, shape in expected.items()}
    common = {kind: drawn_weights(np.random.default_rng(len(kind)), like) for kind in KINDS}
    return [
        replace(
            update,
            delta={name: array + common[kind][name] for name, array in update.delta.items()},
            objects=KINDS[kind],
        )
        for update, kind in zip(
            drawn_updates(seed, len(places), like=like, scale=0.1), places, strict=True
        )
    ]


def parts(step: Step, strategy: FVCC) -> set[tuple[str, ...]]:
    return {cluster.members for cluster in strategy.clusters(step.model, step.state)}


def of_kind(kind: str, places: Sequence[str] = PLACES) -> tuple[str, ...]:
    return tuple(f"p{index:03}" for index, place in enumerate(places) if place == kind)


def models(step: Step, strategy: FVCC) -> dict[int, Weights]:
    return {cluster.label: cluster.model for cluster in strategy.clusters(step.model, step.state)}


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[n], other[n]) for n in one)


@given(seeds)
def test_participants_of_a_kind_come_together_and_get_the_mean_of_their_own(seed):
    strategy = FVCC()
    updates = heard(seed)
    step = run(strategy, updates)
    assert parts(step, strategy) == {of_kind("road"), of_kind("precinct")}
    for cluster in strategy.clusters(step.model, step.state):
        own = [update for update in updates if update.participant in cluster.members]
        assert same(cluster.model, run(make_strategy("fedavg"), own).model)


def test_nobody_is_in_a_cluster_before_the_first_round():
    assert FVCC().clusters(MODEL, NO_STATE) == ()
    assert same(FVCC().published(MODEL, NO_STATE), MODEL)
    assert FVCC().place(MODEL, NO_STATE, {"new": ROAD}) is NO_STATE


@pytest.mark.parametrize("within", ["fedavg", "fedadam", "scaffold", "fedbn", "norm_clipping"])
@given(seed=seeds)
@settings(max_examples=10)
def test_one_cluster_is_the_inner_strategy_exactly(within, seed):
    options = {"bound": 1.0} if within == "norm_clipping" else {}
    strategy = FVCC(num_clusters=1, within=within, within_options=options)
    inner = make_strategy(within, **options)
    step, expected = Step(MODEL, NO_STATE), Step(MODEL, NO_STATE)
    for number in range(3):
        updates = heard(seed + number, strategy=strategy)
        step = run(strategy, updates, model=step.model, state=step.state)
        expected = run(inner, updates, model=expected.model, state=expected.state)
        (cluster,) = strategy.clusters(step.model, step.state)
        assert same(step.model, expected.model)
        assert same(cluster.model, inner.published(expected.model, expected.state))


@given(seeds, st.permutations(range(6)))
def test_the_order_of_updates_does_not_matter_at_all(seed, order):
    updates = heard(seed)
    step, other = run(FVCC(), updates), run(FVCC(), [updates[i] for i in order])
    assert same(step.model, other.model)
    assert same(step.state, other.state)


@given(seeds)
@settings(max_examples=10)
def test_labels_stay_from_round_to_round(seed):
    strategy, step = FVCC(), Step(MODEL, NO_STATE)
    labels = []
    for number in range(4):
        step = run(strategy, heard(seed + number), model=step.model, state=step.state)
        members = strategy.roster(step.state).members
        labels.append({name: member.label for name, member in members.items()})
    assert labels == [labels[0]] * 4


@given(seeds)
def test_the_state_survives_the_store(seed):
    strategy = FVCC(within="scaffold")
    updates = heard(seed, strategy=strategy)
    updates[0] = replace(updates[0], objects=None, participant="An_odd-Name")
    step = run(strategy, updates)
    stored = decode_weights(encode_weights(step.state))
    assert same(stored, step.state)
    assert same(strategy.roster(stored).encode(), strategy.roster(step.state).encode())


def test_the_model_is_the_mean_of_all_members_models():
    strategy = FVCC()
    step = run(strategy, heard(0, ["road"] * 4 + ["precinct"] * 2))
    each = {len(c.members): flat(c.model) for c in strategy.clusters(step.model, step.state)}
    np.testing.assert_allclose(flat(step.model), (4 * each[4] + 2 * each[2]) / 6, rtol=1e-6)


def after_a_round() -> tuple[FVCC, Step, int, int]:
    """And the labels of road and precinct."""
    strategy = FVCC()
    step = run(strategy, heard(0))
    roster = strategy.roster(step.state)
    return strategy, step, roster.label("p000"), roster.label("p001")


@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_a_newcomer_goes_where_others_see_the_same(noise):
    strategy, step, road, precinct = after_a_round()
    shaken = np.abs(np.random.default_rng(0).normal(0, noise, len(STREET))).astype(np.float32)
    for objects, label in ((ROAD, road), (PRECINCT, precinct)):
        state = strategy.place(step.model, step.state, {"new": objects + shaken})
        assert strategy.roster(state).label("new") == label
        away = strategy.roster(state).members["new"].away
        assert away[label].objects < away[road + precinct - label].objects
        assert away[label].model is None
        assert same(models(Step(step.model, state), strategy)[label], models(step, strategy)[label])


def test_a_newcomer_that_says_nothing_goes_to_the_largest_cluster():
    strategy = FVCC()
    step = run(strategy, heard(0, ["precinct"] * 4 + ["road"] * 2))
    roster = strategy.roster(strategy.place(step.model, step.state, {"new": None}))
    assert roster.label("new") == roster.label("p000")


def test_who_has_a_place_keeps_it_whatever_it_says():
    strategy, step, *_ = after_a_round()
    assert strategy.place(step.model, step.state, {"p000": PRECINCT}) is step.state


def test_a_newcomers_first_update_is_one_of_its_clusters_model():
    strategy, step, road, _ = after_a_round()
    state = strategy.place(step.model, step.state, {"p900": ROAD})
    updates = heard(1, [*PLACES, "road"])
    updates[-1] = replace(updates[-1], participant="p900")
    following = run(strategy, updates, model=step.model, state=state)
    own = [update for update in updates if update.objects is ROAD]
    begun = models(step, strategy)[road]
    expected = run(make_strategy("fedavg"), own, model=begun).model
    assert same(models(following, strategy)[road], expected)


def test_who_is_silent_keeps_its_cluster_and_a_silent_cluster_its_model():
    strategy, step, road, precinct = after_a_round()
    spoken = [update for update in heard(1) if update.objects is ROAD][:2]
    following = run(strategy, spoken, model=step.model, state=step.state)
    assert parts(following, strategy) == {of_kind("road"), of_kind("precinct")}
    before, after = models(step, strategy), models(following, strategy)
    assert same(after[precinct], before[precinct])
    assert not same(after[road], before[road])


def moved_to_the_precinct(strategy: FVCC, step: Step, rounds: Iterable[int]) -> Step:
    """p000 stands in a precinct from now on, as does its model, wherever it begins."""
    for number in rounds:
        given, members = models(step, strategy), strategy.roster(step.state)
        updates = heard(number, ["precinct", *PLACES[1:]])
        precinct = given[members.label("p001")]
        own = given[members.label("p000")]
        delta = {n: updates[0].delta[n] + precinct[n] - own[n] for n in own}
        updates[0] = replace(updates[0], delta=delta)
        step = run(strategy, updates, model=step.model, state=step.state)
    return step


def test_a_participant_that_changes_brings_the_model_that_it_trained():
    strategy, step, _, precinct = after_a_round()
    given = models(step, strategy)
    following = moved_to_the_precinct(strategy, step, [1])
    assert strategy.roster(following.state).label("p000") == precinct
    trained = [
        replace(update, delta=added(given[precinct], update.delta))
        for update in heard(1, ["precinct", *PLACES[1:]])
        if update.objects is PRECINCT
    ]
    weights = [update.num_examples for update in trained]
    expected = np.average([flat(update.delta) for update in trained], axis=0, weights=weights)
    np.testing.assert_allclose(flat(models(following, strategy)[precinct]), expected, rtol=1e-5)


def test_a_cluster_that_everybody_leaves_is_no_more():
    strategy = FVCC(num_clusters=2)
    step = run(strategy, heard(0, ["road", *["precinct"] * 5]))
    assert len(strategy.clusters(step.model, step.state)) == 2
    together = replace(strategy, num_clusters=1)
    following = run(together, heard(1, ["precinct"] * 6), model=step.model, state=step.state)
    assert [len(c.members) for c in together.clusters(following.model, following.state)] == [6]


def test_no_cluster_is_empty_however_many_are_asked_for():
    strategy = FVCC(num_clusters=50)
    step = run(strategy, heard(0))
    assert [len(c.members) for c in strategy.clusters(step.model, step.state)] == [1] * 6


def test_the_roster_says_why():
    strategy, step, road, precinct = after_a_round()
    member = strategy.roster(step.state).members["p000"]
    assert member.away[road].objects == 0
    assert member.away[precinct].objects > 1 > member.away[road].model
    assert member.away[precinct].model > member.away[road].model
    assert strategy.clusters(step.model, step.state)[road].objects is not None


def test_without_shares_models_alone_decide():
    strategy = FVCC()
    silent = [replace(update, objects=None) for update in heard(0)]
    step = run(strategy, silent)
    assert parts(step, strategy) == {of_kind("road"), of_kind("precinct")}
    assert {c.objects for c in strategy.clusters(step.model, step.state)} == {None}


def test_shares_of_other_classes_are_refused_and_former_ones_forgotten():
    strategy, step, *_ = after_a_round()
    other = replace(strategy, classes=("face", "hand"))
    with pytest.raises(ConfigError, match=r"2 classes.*p000 says 7"):
        run(other, heard(0))
    assert other.roster(step.state).members["p000"].objects is None


def test_improved_models_replace_the_clusters_and_move_the_mean():
    strategy, step, road, _ = after_a_round()
    better = drawn_weights(np.random.default_rng(1))
    improved = strategy.improved(step, {road: better})
    assert same(models(improved, strategy)[road], better)
    np.testing.assert_allclose(
        flat(improved.model),
        np.mean([flat(model) for model in models(improved, strategy).values()], axis=0),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"within": "krum"}, "fedavg"),
        ({"within_options": {"mu": 1}}, "mu"),
        ({"alpha": 0, "beta": 0}, "nothing is compared"),
        ({"num_clusters": 0}, "num_clusters"),
        ({"patience": 0}, "patience"),
    ],
)
def test_options_that_fit_not_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        make_strategy("fvcc", **options)


def test_it_asks_of_participants_what_the_inner_strategy_does():
    strategy = make_strategy("fvcc", within="fedprox", within_options={"mu": 0.5})
    assert strategy.local == make_strategy("fedprox", mu=0.5).local
    assert strategy.clustering
    assert strategy.sees_updates
    assert strategy.classes == STREET


@given(
    seeds, st.sets(st.sampled_from(range(len(PLACES))), min_size=1), st.sampled_from(["auto", 2])
)
def test_whoever_speaks_the_clusters_of_the_silent_stay(seed, speakers, num_clusters):
    strategy = FVCC(num_clusters=num_clusters)
    first = run(strategy, heard(seed))
    given = models(first, strategy)
    labels = {n: c.label for c in strategy.clusters(first.model, first.state) for n in c.members}
    updates = []
    for each in (heard(seed + 1)[index] for index in sorted(speakers)):
        start = given[labels[each.participant]]
        delta = {name: MODEL[name] + each.delta[name] - start[name] for name in each.delta}
        updates.append(replace(each, delta=delta))
    step = run(strategy, updates, model=first.model, state=first.state)
    assert parts(step, strategy) == parts(first, strategy)


@settings(max_examples=5)
@given(seeds)
def test_clusters_do_not_pile_up_where_others_speak_in_every_round(seed):
    kinds = np.eye(len(STREET), dtype=np.float32)
    strategy, step = FVCC(), Step(MODEL, NO_STATE)
    for number in range(4):
        drawn = drawn_updates(seed + number, 2 * len(kinds), like=MODEL, scale=0.1)
        few = [
            replace(each, participant=f"r{number}-{index}", objects=kinds[index // 2])
            for index, each in enumerate(drawn)
        ]
        step = run(strategy, few, model=step.model, state=step.state)
        assert len(strategy.clusters(step.model, step.state)) <= MOST
