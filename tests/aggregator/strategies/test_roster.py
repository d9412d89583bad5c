"""Who is in which cluster, after some have left for good."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aggregator.clustering.labels import NOWHERE
from aggregator.strategies.fvcc import FVCC
from aggregator.strategies.port import NO_STATE, Step
from aggregator.strategies.roster import Away, Member, Roster, decode_roster
from tests.aggregator.strategies.test_fvcc import (
    PRECINCT,
    ROAD,
    heard,
    models,
    of_kind,
    parts,
    same,
)
from tests.aggregator.strategies.updates import run

EVERYBODY = {*of_kind("road"), *of_kind("precinct")}


def after_a_round() -> tuple[FVCC, Step]:
    strategy = FVCC()
    return strategy, run(strategy, heard(0))


@given(st.sets(st.sampled_from(sorted(EVERYBODY))))
def test_who_has_left_is_in_no_cluster_and_the_others_stay_where_they_are(left: set[str]):
    strategy, step = after_a_round()
    after = strategy.retained(step, EVERYBODY - left)
    before, roster = strategy.roster(step.state), strategy.roster(after.state)
    assert roster.members.keys() == EVERYBODY - left
    assert all(roster.label(name) == before.label(name) for name in roster.members)
    assert not any(name.removeprefix("member/") in left for name in after.state)
    kept = models(after, strategy)
    assert kept.keys() == set(roster.labels)
    assert all(same(kept[label], models(step, strategy)[label]) for label in kept)


def test_where_nobody_has_left_nothing_changes_also_if_others_were_registered():
    strategy, step = after_a_round()
    assert strategy.retained(step, {*EVERYBODY, "never-heard"}) is step


def test_where_everybody_has_left_a_federation_goes_on_from_its_model():
    strategy, step = after_a_round()
    after = strategy.retained(step, ())
    assert (after.model, after.state) == (step.model, NO_STATE)


def test_the_label_of_a_cluster_that_is_no_more_is_free_again():
    strategy, step = after_a_round()
    label = strategy.roster(step.state).label("p000")  # a road
    after = strategy.retained(step, of_kind("precinct"))
    following = run(strategy, heard(1), model=after.model, state=after.state)
    roster = strategy.roster(following.state)
    assert parts(following, strategy) == {of_kind("road"), of_kind("precinct")}
    assert roster.label("p000") == label


def test_nobody_waits_for_a_cluster_that_is_no_more():
    objects = np.array([1.0], np.float32)
    away = {label: Away(1.0, 1.0) for label in (0, 1, 2)}
    members = {
        "a": Member(0, objects, away, wish=1, waited=2),
        "b": Member(0, objects, away, wish=2, waited=2),
        "c": Member(1, objects, away),
        "d": Member(2, objects, away),
    }
    roster = Roster(members, np.ones(2)).retained({"a", "b", "c"})
    assert (roster.members["a"].wish, roster.members["a"].waited) == (1, 2)
    assert (roster.members["b"].wish, roster.members["b"].waited) == (NOWHERE, 0)
    assert decode_roster(roster.encode(), 1).labels == (0, 1)


def test_a_newcomer_finds_a_place_also_where_all_who_had_trained_have_left():
    strategy, step = after_a_round()
    state = strategy.place(step.model, step.state, {"first": ROAD})
    after = strategy.retained(Step(step.model, state), {"first"})
    found = strategy.roster(strategy.place(after.model, after.state, {"second": ROAD}))
    assert found.label("second") == found.label("first")


def left_to_a_newcomer() -> Step:
    """Clusters of a road, where all who had trained have left, and of a precinct."""
    strategy, step = after_a_round()
    seen = 0.8 * ROAD + 0.2 * PRECINCT
    state = strategy.place(step.model, step.state, {"first": seen})
    return strategy.retained(Step(step.model, state), {"first", *of_kind("precinct")})


@given(st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=6), st.randoms())
def test_where_a_newcomer_is_placed_depends_on_itself_alone(roads, chance):
    strategy, step = FVCC(), left_to_a_newcomer()
    newcomers = {
        f"new{number}": None if road is None else road * ROAD + (1 - road) * PRECINCT
        for number, road in enumerate(roads)
    }
    shuffled = dict(chance.sample(list(newcomers.items()), len(newcomers)))
    together = strategy.place(step.model, step.state, newcomers)
    assert same(together, strategy.place(step.model, step.state, shuffled))
    for name, objects in newcomers.items():
        alone = strategy.place(step.model, step.state, {name: objects})
        assert strategy.roster(alone).label(name) == strategy.roster(together).label(name)
