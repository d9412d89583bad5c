"""A camera that learns people in red coats, in words, and meets other coats."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.features import Features
from edge.errors import ModelError, NotLearntError
from edge.scoring.calibration import TailCalibration
from edge.scoring.footage import NormalFootage
from edge.scoring.learn import LEAST_ROWS, learn_camera
from edge.scoring.model import ScoringOptions
from edge.scoring.scorer import CameraScorer
from edge.scoring.store import load_camera_model, save_camera_model
from edge.scoring.words import MOST_CENTRES, MOST_DECADES, WordNormality, Words
from tests.fakes.words import FakeWordModel
from tests.scoring.camera import GAIT, HEIGHT, RATE_HZ, WALKERS, WIDTH, gait, observe, walk

D, P = 192, 40


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


class Spoken(FakeWordModel):
    """P prompts that are alike, as the texts of a contrastive model are, and what looks like them.

    A picture of an action is mostly a picture, and a little of the action's own direction.
    """

    def __init__(self, seed=0):
        super().__init__(version=f"spoken-{seed}")
        rng = np.random.default_rng(seed)
        self.width = D
        common, picture = unit(rng.normal(size=(2, D)))
        self._picture = unit(0.3 * common + picture)
        self._actions = unit(rng.normal(size=(P, D)))
        self.prompts.prompts = tuple(f"action {k}" for k in range(P))
        self.prompts.embeddings = unit(np.sqrt(0.75) * common + np.sqrt(0.25) * self._actions)

    def seen(self, action, count, rng):
        """Action features of ``count`` objects that do it, (count, D)."""
        noise = 0.35 * unit(rng.normal(size=(count, D)))
        return unit(0.7 * self._picture + 0.35 * self._actions[action] + noise)


@pytest.fixture(scope="module")
def spoken():
    return Spoken()


def street(spoken, rng, *, rare=0.0, common=(0, 1, 2), rows=2400):
    """What normal footage shows; of action 9 as large a share as ``rare``."""
    counts = {**dict.fromkeys(common, int(rows * (1 - rare) / len(common))), 9: int(rows * rare)}
    shown = [spoken.seen(action, count, rng) for action, count in counts.items() if count]
    return rng.permutation(np.concatenate(shown))


def alarming(fit, shown, probe, *, decades=3.0):
    """The share of ``probe`` that is stranger than one normal row in 10 ** decades."""
    first, second = np.array_split(shown, 2)
    away = np.concatenate([fit(first).distance(second), fit(second).distance(first)])
    strange = TailCalibration.fit(away).surprise(fit(shown).distance(probe))
    return float((strange > decades).mean())


def test_an_action_that_nobody_has_done_is_strange_and_those_of_the_street_are_not(spoken):
    rng = np.random.default_rng(0)
    words = Words(spoken)
    shown = street(spoken, rng)

    def fit(rows):
        return WordNormality.fit(words, rows)

    assert alarming(fit, shown, spoken.seen(20, 300, rng)) > 0.85
    assert alarming(fit, shown, spoken.seen(1, 300, rng)) < 0.02


@pytest.mark.parametrize("common", [range(8), range(10, 25)], ids=len)
def test_a_rare_normal_action_keeps_a_centre_of_its_own(spoken, common):
    """Half a percent of the footage, also where more actions are normal than centres are given."""
    rng = np.random.default_rng(1)
    words = Words(spoken, centres=10)
    shown = street(spoken, rng, rare=0.005, common=common)
    rare = spoken.seen(9, 300, rng)

    class Plain(WordNormality):
        """Centres where the rows are many, from a random start."""

        @classmethod
        def fit(cls, words, points, *, seed=0):
            rows = words.compared(points)
            centres = rows[np.random.default_rng(seed).permutation(len(rows))[: words.centres]]
            for _ in range(25):
                owner = (rows @ centres.T).argmax(axis=1)
                sums = [rows[owner == k].sum(axis=0) for k in range(words.centres)]
                centres = unit(np.stack(sums) + 1e-6 * centres)
            return cls(words, centres, np.zeros((2, P), np.float32))

    assert alarming(lambda rows: Plain.fit(words, rows), shown, rare) > 0.3
    assert alarming(lambda rows: WordNormality.fit(words, rows), shown, rare) < 0.05
    strange = spoken.seen(30, 300, rng)
    assert alarming(lambda rows: WordNormality.fit(words, rows), shown, strange) > 0.9


@given(st.integers(0, 50), st.integers(1, 12), st.integers(1, 60))
def test_centres_are_bounded_and_of_length_one(seed, centres, rows):
    spoken, rng = Spoken(), np.random.default_rng(seed)
    shown = np.concatenate([spoken.seen(k % P, 1, rng) for k in range(rows)])
    normality = WordNormality.fit(Words(spoken, centres), shown, seed=seed)
    normality.update(spoken.seen(3, 5, rng))
    found = normality.state()["centres"]
    assert 1 <= len(found) <= max(MOST_CENTRES * centres, 1)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    distance = normality.distance(spoken.seen(5, 7, rng))
    assert distance.shape == (7,)
    assert ((distance >= 0) & (distance <= 2 + 1e-6)).all()


def test_centres_follow_what_is_seen(spoken):
    rng = np.random.default_rng(2)
    normality = WordNormality.fit(Words(spoken, 3), street(spoken, rng))
    new = spoken.seen(15, 300, rng)
    before = normality.distance(new).mean()
    for _ in range(20):
        normality.update(new)
    assert normality.distance(new).mean() < 0.5 * before


def test_equal_seeds_give_equal_normality(spoken):
    shown = street(spoken, np.random.default_rng(3))
    one, two = (WordNormality.fit(Words(spoken), shown, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one.state()["centres"], two.state()["centres"])


def test_the_published_rule_is_the_cosine_of_plain_responses(spoken):
    rng = np.random.default_rng(4)
    words, shown = Words(spoken, 3, published=True), street(spoken, rng)
    normality = WordNormality.fit(words, shown)
    probe = spoken.seen(7, 20, rng)
    responses = unit(probe @ spoken.prompts.embeddings.T)
    cosine = (responses @ normality.state()["centres"].T).max(axis=1)
    np.testing.assert_allclose(normality.distance(probe), 1 - cosine, atol=1e-6)
    centred = WordNormality.fit(Words(spoken, 3), shown).distance(probe)
    assert normality.distance(probe).mean() < 0.2 * centred.mean()  # what all share hides the rest


def test_what_is_common_to_all_responses_of_a_row_is_not_compared(spoken):
    words = Words(spoken)
    rng = np.random.default_rng(5)
    rows = words.compared(spoken.seen(0, 10, rng))
    np.testing.assert_allclose(rows.mean(axis=1), 0, atol=1e-6)


def test_the_reason_is_the_prompt_that_departs_most(spoken):
    rng = np.random.default_rng(6)
    normality = WordNormality.fit(Words(spoken), street(spoken, rng))
    for action in (11, 25):
        text, cosine, usual, above = normality.likeness(spoken.seen(action, 1, rng)[0])
        assert (text, above) == (f"action {action}", True)
        assert cosine > usual


def test_where_nothing_exceeds_the_usual_what_is_missing_is_named(spoken):
    rng = np.random.default_rng(7)
    normality = WordNormality.fit(Words(spoken), street(spoken, rng, common=(0,)))
    _, cosine, usual, above = normality.likeness(-spoken.seen(0, 1, rng)[0])
    assert not above
    assert cosine < usual


def test_other_prompts_or_another_rule_are_another_version(spoken):
    other = Spoken()
    other.prompts.prompts = tuple(reversed(other.prompts.prompts))
    same = Words(Spoken(), centres=20).version
    assert Words(spoken).version == same
    assert len({same, Words(other).version, Words(spoken, published=True).version}) == 3


# -- as a term of a camera


def acting(words, actions, track_ids) -> Features:
    """Rows of action features beside those of ``gait``."""
    objects = gait([(1.0, 0.1)] * len(actions), track_ids)
    values = np.array(actions, np.float32).reshape(len(actions), D)
    return replace(objects, spec=words.features, values=values)


def footage(words, *, frames=800, acting_frames=10**9, seed=0):
    """Two walkers a frame, who do what people do here: the first three actions."""
    rng, acts = (np.random.default_rng(seed + k) for k in (0, 1))
    collected = NormalFootage()
    for k in range(frames):
        ids = [2 * (k // 40), 2 * (k // 40) + 1]
        groups = [gait(walk(rng), ids)]
        if words is not None and k < acting_frames:
            shown = [words.model.seen((k // 40 + n) % 3, 1, acts)[0] for n in range(2)]
            groups.append(acting(words, shown, ids))
        collected.add(groups, time_s=k / RATE_HZ, width=WIDTH, height=HEIGHT)
    return collected


def learn(words, collected=None, **options):
    return learn_camera(
        collected or footage(words),
        camera="gate",
        alarms_per_day=2,
        created_s=0.0,
        options=ScoringOptions(size=200, **options),
        words=words,
    )


@pytest.fixture(scope="module")
def words(spoken):
    return Words(spoken, 4)


@pytest.fixture(scope="module")
def model(words):
    return learn(words)


def scored(model, words, action, *, frames=20, scorer=None, seed=1):
    """A walker (1) and one who walks and does something (2); the last frame's score."""
    rng = np.random.default_rng(seed)
    scorer = scorer or CameraScorer(model, labels=["person"])
    for k in range(frames):
        acts = [words.model.seen(0, 1, rng)[0], words.model.seen(action, 1, rng)[0]]
        frame = observe(scorer, gait(WALKERS), acting(words, acts, [1, 2]), index=k)
    return frame


def test_who_does_what_nobody_does_here_alarms_though_it_moves_as_all_do(model, words):
    assert scored(model, words, 1).score < model.threshold
    frame = scored(model, words, 20)
    assert frame.score > model.threshold
    worst = frame.regions[0]
    assert (worst.track_id, worst.reason.feature) == (2, "looks like: action 20")
    assert dict(worst.reason.terms).keys() == {"gait", "words"}
    assert dict(worst.reason.terms)["words"] > dict(worst.reason.terms)["gait"]
    assert "words" in str(worst.reason)


def test_words_do_not_drown_the_other_terms_where_footage_hardly_varies(words):
    collected, rng = NormalFootage(), np.random.default_rng(0)
    for k in range(400):
        objects = gait(walk(rng), [2 * (k // 40), 2 * (k // 40) + 1])
        same = replace(
            objects, spec=words.features, values=np.tile(words.model.prompts.embeddings[:1], (2, 1))
        )
        collected.add([objects, same], time_s=k / RATE_HZ, width=WIDTH, height=HEIGHT)
    model = learn(words, collected)
    told = dict(scored(model, words, 5).regions[0].reason.terms)
    assert told["words"] == MOST_DECADES


def test_without_motion_only_words_judge(words):
    model = learn(words, motion=False)
    assert [term.spec for term in model.terms] == [words.features]
    frame = scored(model, words, 20)
    assert frame.score > model.threshold
    assert dict(frame.regions[0].reason.terms).keys() == {"words"}


def test_frames_in_which_no_action_is_known_are_judged_by_the_rest(model, words):
    scorer = CameraScorer(model, labels=[])
    runner = observe(scorer, gait([(4.1, 0.1)]), index=0)
    assert runner.regions[0].reason.feature == "speed"


def test_a_camera_without_words_tells_no_terms(words, model):
    plain = learn(None, footage(None))
    assert plain.words is None
    for name, array in plain.terms[0].calibration.state().items():
        np.testing.assert_array_equal(array, model.terms[0].calibration.state()[name])
    frame = observe(CameraScorer(plain, labels=[]), gait([(4.1, 0.1)]), index=0)
    assert frame.regions[0].reason.terms == ()


def test_too_few_actions_leave_words_silent_and_say_so(words, caplog):
    with caplog.at_level(logging.WARNING):
        model = learn(words, footage(words, acting_frames=LEAST_ROWS // 2 - 1))
    assert "camera gate: hardly anybody was followed: words are silent" in caplog.text
    assert [term.spec for term in model.terms] == [GAIT]
    assert model.words is words
    assert scored(model, words, 20).score < model.threshold


def test_without_motion_and_actions_nothing_is_learnt(words):
    with pytest.raises(NotLearntError, match="camera gate"):
        learn(words, footage(words, acting_frames=0), motion=False)


def test_a_stored_model_scores_the_same_with_the_same_words(model, words, tmp_path):
    path = tmp_path / "gate.safetensors"
    save_camera_model(path, model)
    loaded = load_camera_model(path, [GAIT], words=words)
    assert loaded.words is words
    assert (loaded.version, loaded.options) == (model.version, model.options)
    assert words.version in model.version
    for action in (1, 20):
        live, kept = (scored(each, words, action) for each in (model, loaded))
        assert live == kept


@pytest.mark.parametrize("other", [None, Words(Spoken(1), 4), Words(Spoken(), 4, published=True)])
def test_a_model_of_other_words_is_refused(model, tmp_path, other):
    path = tmp_path / "gate.safetensors"
    save_camera_model(path, model)
    with pytest.raises(ModelError, match=r"calibrated with words .* learn the camera anew"):
        load_camera_model(path, [GAIT], words=other)


def test_a_model_without_words_is_refused_where_there_are_some(words, tmp_path):
    path = tmp_path / "gate.safetensors"
    save_camera_model(path, learn(None, footage(None)))
    with pytest.raises(ModelError, match="calibrated with words none"):
        load_camera_model(path, [GAIT], words=words)


def test_a_silent_word_model_is_remembered(words, tmp_path):
    path = tmp_path / "gate.safetensors"
    save_camera_model(path, learn(words, footage(words, acting_frames=3)))
    assert load_camera_model(path, [GAIT], words=words).words is words
