"""When new weights may judge: little footage says little, and a flood of alarms ends a trial."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.adoption import (
    CHANCE,
    FLOOD_CHANCE,
    FLOOD_FACTOR,
    LEAST_ALARMS,
    Probation,
    Shadow,
    Verdict,
    decide,
    most_by_chance,
)

DAY_S = 86_400.0
counts = st.integers(0, 60)
shadows = st.builds(
    Shadow,
    camera=st.sampled_from(["door", "yard", "gate"]),
    footage_s=st.floats(600, 10 * DAY_S),
    alarms_per_day=st.floats(0.1, 50),
    candidate_alarms=counts,
    running_alarms=counts,
)


def tail(mean, count):
    """P(N > count) of a Poisson law."""
    return 1 - sum(
        math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1)
    )


@given(st.floats(1e-4, 300), st.sampled_from([CHANCE, FLOOD_CHANCE, 1e-4]))
def test_chance_explains_no_more_than_it_does(mean, chance):
    most = most_by_chance(mean, chance)
    assert tail(mean, most) <= chance + 1e-9
    assert most == 0 or tail(mean, most - 1) > chance - 1e-9


@pytest.mark.parametrize(("mean", "most"), [(0.01, 0), (0.083, 1), (2.0, 5), (100.0, 117)])
def test_what_chance_explains_of_a_few_budgets(mean, most):
    assert most_by_chance(mean, 0.05) == most


def test_a_mean_beyond_what_a_float_holds_is_a_count_too():
    assert most_by_chance(2000.0, 0.05) == pytest.approx(2000 + 1.645 * 2000**0.5, abs=3)


@given(st.lists(shadows, min_size=1, max_size=4), st.data())
def test_fewer_alarms_never_turn_adoption_into_refusal(tried, data):
    if not decide(tried).adopt:
        return
    fewer = [
        replace(s, candidate_alarms=data.draw(st.integers(0, s.candidate_alarms))) for s in tried
    ]
    assert decide(fewer).adopt


@given(st.lists(shadows, min_size=1, max_size=4))
def test_a_candidate_that_raises_what_the_running_model_does_is_adopted(tried):
    assert decide([replace(s, candidate_alarms=s.running_alarms) for s in tried]).adopt


@given(st.lists(shadows, min_size=1, max_size=4))
def test_the_order_of_the_cameras_does_not_matter(tried):
    assert decide(tried).adopt == decide(tried[::-1]).adopt


@given(shadows)
def test_one_camera_that_objects_is_enough(shadow):
    wild = replace(shadow, candidate_alarms=10_000)
    verdict = decide([shadow, wild])
    assert not verdict.adopt
    assert f"camera {shadow.camera}: " in verdict.reason


def test_a_refusal_says_what_was_counted_and_what_was_allowed():
    verdict = decide([Shadow("door", 3600.0, 2.0, 4, 0)])
    assert verdict.reason == (
        "camera door: 4 alarms in 1 h of normal footage, at most 1 are allowed "
        "(budget 2 a day; the running model raises 0)"
    )


def test_without_footage_enough_nothing_is_adopted():
    assert "no camera has footage" in decide([]).reason
    verdict = decide([Shadow("door", 300.0, 2.0, 0, 0)])
    assert not verdict.adopt
    assert "300 s of footage that taught nobody cannot tell, 600 s can" in verdict.reason
    assert decide([Shadow("door", 300.0, 2.0, 0, 0)], least_s=60.0).adopt


@given(st.builds(Verdict, st.booleans(), st.text(), st.lists(shadows).map(tuple)))
def test_a_verdict_survives_json(verdict):
    assert Verdict.from_json(verdict.as_json()) == verdict


class TestProbation:
    probation = Probation({"door": 2.0, "yard": 2.0})

    @given(st.integers(0, 40), st.floats(0, DAY_S))
    def test_only_a_flood_is_objected_to(self, raised, elapsed_s):
        objection = self.probation.objection({"door": raised, "yard": 0}, elapsed_s)
        mean = FLOOD_FACTOR * 2.0 * elapsed_s / DAY_S
        if objection is not None:
            assert raised >= LEAST_ALARMS
            assert mean == 0 or tail(mean, raised - 1) <= FLOOD_CHANCE
            assert "camera door" in objection
        else:
            assert raised <= max(LEAST_ALARMS - 1, most_by_chance(mean, FLOOD_CHANCE / 2))

    def test_twice_the_budget_is_no_flood_and_five_in_an_hour_are(self):
        assert self.probation.objection({"door": 4}, DAY_S) is None
        assert self.probation.objection({"yard": 5}, 3600.0)
        assert self.probation.objection({"yard": 4}, 60.0) is None

    def test_what_the_model_before_raised_is_allowed(self):
        verdict = Verdict(True, "", (Shadow("door", DAY_S, 2.0, 30, 30),))
        probation = Probation.of(verdict)
        assert probation.objection({"door": 30}, DAY_S) is None
        assert probation.objection({"door": 100}, DAY_S)

    def test_a_camera_that_nobody_tried_is_not_counted(self):
        assert self.probation.objection({"attic": 500}, 60.0) is None
