"""What leaves of a host's objects: valid, noised once, paid once."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.federation.objects import LEAST_OBJECTS, ObjectShares
from edge.federation.privacy_budget import PrivacyBudget
from edge.wire.rounds import Announcement, Blob, Join, Missing, Phase, Privacy, Settings

CLASSES = ("person", "car", "other")
NOISE = 0.05  # so little that two draws never end in the same corner
SEEN = {"person": 60, "car": 30, "dog": 9, "object": 1}


def announced(classes=CLASSES, *, noise=None, run="r", number=1):
    privacy = None if noise is None else Privacy(clip_norm=1.0, noise_multiplier=noise)
    settings = Settings(
        student={},
        spec_versions=(),
        plan={},
        rule={},
        compression="fp32",
        privacy=privacy,
        classes=classes,
    )
    return Announcement(
        run=run,
        round=number,
        phase=Phase.UPDATES,
        deadline_s=1.0,
        model=Blob(id="0" * 64, size_bytes=1, chunk_bytes=1),
        fingerprint="f",
        settings=settings,
    )


@pytest.fixture
def budget(tmp_path):
    return PrivacyBudget(tmp_path / "privacy.json", epsilon=1e4, delta=1e-5)


@pytest.fixture
def make(tmp_path):
    def make_one(budget=None, seen=lambda: SEEN):
        return ObjectShares(seen, path=tmp_path / "shares.json", budget=budget)

    return make_one


def test_without_noise_shares_are_those_of_what_is_seen_now(make):
    seen = dict(SEEN)
    objects = make(seen=lambda: seen)
    assert objects(announced()) == pytest.approx((0.6, 0.3, 0.1))
    seen["person"] += 100
    assert objects(announced(number=2)) == pytest.approx((0.8, 0.15, 0.05))


def test_what_fits_no_class_counts_as_other_or_not_at_all(make):
    assert make()(announced(("car", "person"))) == pytest.approx((1 / 3, 2 / 3))
    assert make()(announced(("other",))) == (1.0,)
    assert make(seen=lambda: {"object": 5})(announced()) == (0.0, 0.0, 1.0)  # motion alone


def test_nothing_is_said_where_nothing_is_asked_or_seen(make):
    assert make()(announced(())) == ()
    assert make(seen=dict)(announced()) == ()
    assert make()(announced(("tram",))) == ()


def test_noise_is_drawn_and_paid_for_once_and_not_in_every_round(make, budget):
    objects = make(budget)
    first = objects(announced(noise=NOISE))
    assert first != pytest.approx((0.6, 0.3, 0.1))
    spent = budget.epsilon
    for number in range(2, 6):
        assert objects(announced(noise=NOISE, number=number)) == first
    assert make(budget)(announced(noise=NOISE, number=6)) == first  # after a restart
    assert (budget.shares, budget.rounds, budget.epsilon) == (1, 0, spent)


@pytest.mark.parametrize(
    "changes", [{"run": "s"}, {"classes": ("person", "other")}, {"noise": 0.06}]
)
def test_what_was_not_asked_before_is_a_release_of_its_own(make, budget, changes):
    objects = make(budget)
    first = objects(announced(noise=NOISE))
    assert objects(announced(**{"noise": NOISE, **changes})) != first
    assert budget.shares == 2


def test_a_round_costs_as_much_as_the_shares_and_they_add_up(make, tmp_path):
    budget = PrivacyBudget(tmp_path / "privacy.json", epsilon=1e4, delta=1e-5)
    make(budget)(announced(noise=NOISE))
    other = PrivacyBudget(tmp_path / "other.json", epsilon=1e4, delta=1e-5)
    other.spend(NOISE)
    assert budget.epsilon == other.epsilon
    assert budget.spend(NOISE) == other.spend(NOISE, "shares")


def test_with_few_objects_noised_shares_wait(make, budget):
    seen = {"person": LEAST_OBJECTS - 1, "tram": 1000}
    objects = make(budget, lambda: seen)
    assert objects(announced(("person", "car"), noise=NOISE)) == ()
    assert budget.shares == 0
    seen["car"] = 1
    assert len(objects(announced(("person", "car"), noise=NOISE))) == 2


def test_a_host_with_a_budget_says_nothing_without_noise_or_beyond_it(make, tmp_path, caplog):
    budget = PrivacyBudget(tmp_path / "privacy.json", epsilon=1.0, delta=1e-5)
    assert make(budget)(announced()) == ()
    assert make(budget)(announced(noise=0.0)) == ()
    assert "need noise" in caplog.text
    assert make(budget)(announced(noise=0.1)) == ()
    assert "budget is spent" in caplog.text
    assert not (tmp_path / "shares.json").exists()


def test_what_cannot_be_kept_does_not_leave(make, budget, tmp_path, caplog):
    (tmp_path / "shares.json").mkdir()
    assert make(budget)(announced(noise=NOISE)) == ()
    assert "cannot write" in caplog.text


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"asked": {}}'])
def test_a_damaged_file_is_drawn_and_paid_for_anew(make, budget, tmp_path, content):
    (tmp_path / "shares.json").write_bytes(content)
    assert len(make(budget)(announced(noise=NOISE))) == 3
    assert budget.shares == 1
    json.loads((tmp_path / "shares.json").read_bytes())


def test_the_words_for_the_ledger(make):
    def join(shares):
        return Join(round=1, takes_part=True, version="1", objects=shares)

    objects = make()
    assert objects.holds(join(objects(announced()))) == "shares of 3 classes, without noise"
    assert objects.holds(join(objects(announced(noise=0.5)))) == "shares of 3 classes, noised"
    assert objects.holds(join(())) == ""
    assert objects.holds(Missing(blob="0" * 64, ranges=((0, 1),))) == ""


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=30),
    st.sampled_from([None, 0.0, 0.3, 40.0]),
)
def test_what_is_answered_is_a_message(tmp_path_factory, counts, noise):
    seen = {f"c{k}": count for k, count in enumerate(counts)}
    folder = tmp_path_factory.mktemp("host")
    objects = ObjectShares(lambda: seen, path=folder / "shares.json")
    shares = objects(announced(tuple(seen), noise=noise))
    Join(round=1, takes_part=True, version="1", objects=shares)  # refuses what is no distribution
    assert len(shares) in (0, len(counts))
    assert np.isfinite(shares).all()
