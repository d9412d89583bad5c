import math

from hypothesis import given
from hypothesis import strategies as st

from edge.features.embedding_budget import (
    BURST_S,
    CALM_S,
    LASTING_S,
    EmbeddingBudget,
    Shortage,
    Wish,
)

levels = st.sampled_from([0.0, 0.5, 2.0, 7.0, math.inf])
wishes = st.lists(st.builds(Wish, levels, st.floats(0, 20)), max_size=12)
turns = st.lists(st.tuples(st.floats(0, 3), wishes), max_size=30)


@given(turns, st.floats(1, 20))
def test_no_stretch_of_time_ever_sees_more_than_the_budget(turns, per_s):
    budget, now_s, had = EmbeddingBudget(per_s), 1000.0, []
    for pause_s, wished in turns:
        now_s += pause_s
        count = len(budget.choose(wished, now_s))
        budget.spend(count)
        had.append((now_s, count))
    most = max(per_s * BURST_S, 1.0)
    for first, (begin_s, _) in enumerate(had):
        for last in range(first, len(had)):
            looks = sum(count for _, count in had[first : last + 1])
            assert looks <= per_s * (had[last][0] - begin_s) + most + 1e-6


@given(turns, st.floats(1, 20))
def test_whoever_goes_without_is_less_anomalous_or_has_waited_less(turns, per_s):
    budget, now_s = EmbeddingBudget(per_s), 0.0
    for pause_s, wished in turns:
        now_s += pause_s
        chosen = budget.choose(wished, now_s)
        budget.spend(len(chosen))
        urgency = [(wish.level, wish.waited_s) for wish in wished]
        left = [urgency[k] for k in range(len(wished)) if k not in chosen]
        assert len(set(chosen)) == len(chosen)
        assert min((urgency[k] for k in chosen), default=(math.inf, math.inf)) >= max(
            left, default=(-math.inf, -math.inf)
        )


@given(turns)
def test_without_a_budget_every_wish_is_met(turns):
    budget = EmbeddingBudget()
    for now_s, (_, wished) in enumerate(turns):
        chosen = budget.choose(wished, float(now_s))
        budget.spend(len(chosen))
        assert sorted(chosen) == list(range(len(wished)))


def test_what_was_not_used_is_there_for_a_crowd_but_not_for_ever():
    budget, crowd = EmbeddingBudget(40), [Wish(0.0, 1.0)] * 100
    assert len(budget.choose([], 0.0)) == 0
    assert len(budget.choose(crowd, 3600.0)) == 20
    budget.spend(20)
    assert len(budget.choose(crowd, 3600.11)) == 4


def test_a_clock_that_steps_back_gives_nothing_away():
    budget, crowd = EmbeddingBudget(10), [Wish(0.0, 1.0)] * 100
    budget.spend(len(budget.choose(crowd, 100.0)))
    assert budget.choose(crowd, 50.0) == []
    assert budget.choose(crowd, 100.0) == []


def test_a_shortage_lasts_while_it_goes_on_and_ends_with_it():
    shortage = Shortage()
    for second in range(int(LASTING_S)):
        shortage.step(1, float(second))
        assert not shortage.lasts(float(second))
    shortage.step(1, LASTING_S)
    assert shortage.lasts(LASTING_S)
    shortage.step(0, LASTING_S + CALM_S)
    assert shortage.lasts(LASTING_S + CALM_S)
    assert not shortage.lasts(LASTING_S + CALM_S + 1)
    shortage.step(1, LASTING_S + 2 * CALM_S)
    assert not shortage.lasts(LASTING_S + 2 * CALM_S)
