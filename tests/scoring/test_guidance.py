from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.alerts.zones import Zone
from edge.domain.guidance import Hours, Polarity
from edge.scoring.guidance import Guidance, Guide, Rule, nearest_of, rivals_of

WIDTH, HEIGHT = 640, 360
ACTIONS = ("walking", "running", "cycling", "standing", "pushing a cart", "skating")


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


class Space:
    """A made-up model: words and crops of an action lie near to each other, others apart.

    ``gap``: the share of every cosine that says nothing, as in CLIP's 0.2 to 0.3.
    """

    def __init__(self, *, gap: float = 0.0, seed: int = 0, noise: float = 0.25) -> None:
        self._chance = np.random.default_rng(seed)
        self._noise = noise
        self._meaning = unit(self._chance.normal(size=(len(ACTIONS), 24)))
        self._gap = gap
        self.prompts = self._placed(self._meaning)

    def _placed(self, rows: np.ndarray) -> np.ndarray:
        common = np.full((len(rows), 1), np.sqrt(self._gap))
        return np.hstack([np.sqrt(1 - self._gap) * unit(rows), common]).astype(np.float32)

    def near(self, action: str, count: int = 1) -> np.ndarray:
        """Crops or sentences of an action, (count, d)."""
        meant = self._meaning[ACTIONS.index(action)]
        return self._placed(meant + self._noise * self._chance.normal(size=(count, 24)) / 24**0.5)


def said(space: Space, action: str, polarity: str, **limits) -> Guidance:
    text = f"a person {action}"
    return Guidance(text, text, Polarity(polarity), space.near(action)[0], **limits)


def boxes(count: int, foot: tuple[float, float] = (0.5, 0.5)) -> np.ndarray:
    x, y = foot[0] * WIDTH, foot[1] * HEIGHT
    return np.tile(np.array([x - 10, y - 40, x + 10, y], np.float32), (count, 1))


def change(guide: Guide, actions: np.ndarray, *, time_s: float = 0.0, where=None) -> np.ndarray:
    where = boxes(len(actions)) if where is None else where
    return guide.change(actions, where, time_s=time_s, width=WIDTH, height=HEIGHT)


def guide_of(space: Space, *guidances: Guidance, **rule) -> Guide:
    guide = Guide(space.prompts, **rule)
    guide.follow(guidances)
    return guide


@pytest.mark.parametrize("gap", [0.0, 0.6])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_normal_sentence_silences_what_it_describes_and_nothing_else(gap, action):
    space = Space(gap=gap)
    guide = guide_of(space, said(space, action, "normal"))
    levels = np.array([8.0, 0.3, 2.5], np.float32)  # a stream that has seen nothing like the first
    guide.saw(levels)
    assert (levels + change(guide, space.near(action, 3)) <= 0).all()
    for other in set(ACTIONS) - {action}:
        assert not change(guide, space.near(other, 5)).any()


@pytest.mark.parametrize("action", ACTIONS)
def test_an_anomalous_sentence_raises_what_it_describes_beyond_any_threshold(action):
    space = Space()
    guide = guide_of(space, said(space, action, "anomalous"))
    assert (change(guide, space.near(action, 4)) >= 5.0).all()
    for other in set(ACTIONS) - {action}:
        assert not change(guide, space.near(other, 5)).any()


def test_whatever_barely_matches_hardly_changes():
    space = Space()
    sentence = said(space, "cycling", "normal")
    crop = space.near("cycling")
    cosine = float((crop @ sentence.embedding)[0])
    change_at = {}
    for below in (0.0, 0.005, 0.01, 0.5):
        guide = guide_of(space, replace(sentence, threshold=cosine - below))
        guide.saw(np.array([8.0], np.float32))
        change_at[below] = float(change(guide, crop)[0])
    assert change_at[0.0] == pytest.approx(0, abs=1e-5)
    assert -0.5 < change_at[0.01] < change_at[0.005] < 0
    assert change_at[0.5] == pytest.approx(-8.0)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.9))
def test_a_cosine_that_every_pair_has_takes_no_part(seed, gap):
    plain, shifted = Space(seed=seed, noise=1.5), Space(seed=seed, noise=1.5, gap=gap)
    moved = []
    for space in (plain, shifted):
        guide = guide_of(space, said(space, "cycling", "normal"))
        moved.append(change(guide, np.concatenate([space.near(action, 2) for action in ACTIONS])))
    np.testing.assert_allclose(moved[0], moved[1], atol=1e-2)


@given(st.integers(0, 2**32 - 1), st.permutations(range(8)))
def test_no_track_is_another_ones_business(seed, order):
    space = Space(seed=seed, noise=1.5)
    guide = guide_of(space, said(space, "cycling", "normal"), said(space, "running", "anomalous"))
    crops = np.concatenate([space.near("cycling", 4), space.near("running", 4)])
    together = change(guide, crops[list(order)])
    alone = np.concatenate([change(guide, crops[k : k + 1]) for k in order])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_published_rule_is_equation_10():
    space = Space()
    rule = Rule(gamma=2.0, theta=0.5, published=True)
    normal = said(space, "cycling", "normal", threshold=0.4)
    anomalous = said(space, "running", "anomalous", threshold=0.3)
    guide = guide_of(space, normal, anomalous, rule=rule)
    guide.saw(np.array([8.0, 1.0], np.float32))
    crops = np.concatenate([space.near("cycling"), space.near("running"), space.near("standing")])
    s_min, s_max = guide._levels.at(0.01), guide._levels.at(0.99)
    similarity = crops @ np.stack([normal.embedding, anomalous.embedding]).T
    expected = -s_max * 2.0 * np.maximum(similarity[:, 0] - 0.4, 0)
    expected += s_min * 0.5 * np.maximum(similarity[:, 1] - 0.3, 0)
    np.testing.assert_allclose(change(guide, crops), expected, atol=1e-6)
    assert abs(s_min) < 0.05  # which is why the published rule raises nothing


def test_without_guidance_and_without_tracks_nothing_moves():
    space = Space()
    guide = Guide(space.prompts)
    assert change(guide, space.near("cycling", 2)).tolist() == [0.0, 0.0]
    guide.follow([said(space, "cycling", "normal")])
    none = np.zeros((0, space.prompts.shape[1]), np.float32)
    assert change(guide, none, where=np.zeros((0, 4), np.float32)).shape == (0,)
    guide.follow([])
    assert not change(guide, space.near("cycling", 2)).any()


def test_of_contradicting_sentences_the_newest_wins_where_both_hold():
    space = Space()
    zone = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    normal = said(space, "cycling", "normal")
    anomalous = replace(normal, id="2", polarity=Polarity.ANOMALOUS, zones=(zone,))
    anomalous = replace(anomalous, text="A PERSON CYCLING")
    crops, where = space.near("cycling", 2), np.vstack([boxes(1, (0.2, 0.9)), boxes(1, (0.8, 0.9))])
    left, right = change(guide_of(space, normal, anomalous), crops, where=where)
    assert (left > 0, right < 0) == (True, True)
    left, right = change(guide_of(space, anomalous, normal), crops, where=where)
    assert (left < 0, right < 0) == (True, True)


def test_hours_are_kept():
    space = Space()
    hours = (Hours.parse("22:00-06:00"), Hours.parse("12:00-13:00"))
    guide = guide_of(space, said(space, "cycling", "normal", hours=hours))
    crop, midnight = space.near("cycling"), 0.0
    spoken = [change(guide, crop, time_s=midnight + 3600 * hour)[0] < 0 for hour in range(24)]
    held = [any(part.hold(3600.0 * hour) for part in hours) for hour in range(24)]
    assert spoken == held
    assert 0 < sum(held) < 24


CORNER = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda xy: (xy[0] / 20, xy[1] / 20))


@given(st.lists(CORNER, min_size=3, max_size=7), CORNER)
def test_a_zone_holds_the_same_as_the_zones_of_alarms(corners, foot):
    space = Space()
    guide = guide_of(space, said(space, "cycling", "normal", zones=(tuple(corners),)))
    where = boxes(1, (foot[0] + 0.013, foot[1] + 0.017))
    spoken = change(guide, space.near("cycling"), where=where)[0] < 0
    box = tuple(where[0].tolist())
    assert spoken == Zone("z", tuple(corners)).holds(box, (WIDTH, HEIGHT))


def test_the_same_in_other_words_is_no_rival():
    space = Space()
    for action in ACTIONS:
        rivals = rivals_of(space.near(action)[0], space.prompts, nearest_of(space.prompts))
        assert {ACTIONS[place] for place in rivals} == set(ACTIONS) - {action}


def test_what_no_prompt_says_has_all_of_them_as_rivals():
    space = Space()
    between = unit(space.prompts[:1] + space.prompts[1:2] + 3 * space.prompts[2:3])[0]
    close = np.concatenate([space.prompts, space.near("cycling", 3)])
    assert len(rivals_of(between, close, nearest_of(close))) == len(close)


def test_of_a_long_list_one_prompt_in_a_hundred_may_say_it_better():
    chance = np.random.default_rng(0)
    prompts, crop = unit(chance.normal(size=(401, 64))), unit(chance.normal(size=(1, 64)))
    outdoing = np.sort((crop @ prompts.T)[0])[::-1]
    text = unit(chance.normal(size=64))
    text = text - (text @ crop[0]) * crop[0]
    matches = []
    for above in (3, 4, 5):
        cosine = float(outdoing[above - 1 : above + 1].mean())  # so many prompts are above it
        embedding = cosine * crop[0] + np.sqrt(1 - cosine**2) * unit(text)
        guide = Guide(prompts)
        guide.follow([Guidance("1", "a", Polarity.NORMAL, embedding.astype(np.float32))])
        matches.append(bool(change(guide, crop)[0] < 0))
    assert matches == [True, True, False]


@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_a_few_prompts_are_enough_to_go_by(count, seed):
    chance = np.random.default_rng(seed)
    prompts, texts = unit(chance.normal(size=(count, 8))), unit(chance.normal(size=(3, 8)))
    for text in texts:
        assert len(rivals_of(text, prompts, nearest_of(prompts))) >= max(count - 1, 1)
    guide = Guide(prompts)
    guide.follow([Guidance("1", "a", Polarity.NORMAL, texts[0])])
    moved = change(guide, texts)
    assert np.isfinite(moved).all()
    assert (moved <= 0).all()


def test_a_normal_sentence_may_silence_where_and_when_it_holds_and_no_newer_one_takes_it_back():
    space = Space()
    left = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    where = np.concatenate([boxes(1, (0.2, 0.5)), boxes(1, (0.8, 0.5))])

    def may(*guidances, time_s=0.0):
        guide = guide_of(space, *guidances)
        place = dict(time_s=time_s, width=WIDTH, height=HEIGHT)
        return guide.may_silence(where, **place).tolist()

    normal = said(space, ACTIONS[0], "normal")
    assert may() == [False, False]
    assert may(normal) == [True, True]
    assert may(said(space, ACTIONS[0], "anomalous")) == [False, False]
    assert may(replace(normal, zones=(left,))) == [True, False]
    taken_back = said(space, ACTIONS[0], "anomalous", zones=(left,))
    assert may(normal, taken_back) == [False, True]
    assert may(taken_back, normal) == [True, True]
