import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from edge.errors import ConfigError, PrivacyError, StorageError
from edge.federation.privacy_budget import PrivacyBudget, epsilon_of, noise_multiplier_for
from edge.federation.spent import read_spent

DELTA = 1e-5


def exact_delta(epsilon: float, mu: float) -> float:
    """The Gaussian mechanism's own trade-off (Balle and Wang, ICML 2018, theorem 8)."""
    above = norm.cdf(mu / 2 - epsilon / mu)
    return above - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu)


@settings(deadline=None, max_examples=25)
@given(st.floats(0.5, 20), st.integers(1, 100))
def test_epsilon_is_an_upper_bound_and_no_wild_one(noise_multiplier, rounds):
    epsilon = epsilon_of({noise_multiplier: rounds}, DELTA)
    mu = math.sqrt(rounds) / noise_multiplier  # n Gaussian mechanisms are one
    assert exact_delta(epsilon, mu) <= DELTA
    assert exact_delta(0.8 * epsilon, mu) > DELTA or epsilon < 0.5


@settings(deadline=None, max_examples=10)
@given(st.floats(0.5, 20), st.integers(1, 50))
def test_the_multiplier_for_a_budget_just_keeps_it(epsilon, rounds):
    sigma = noise_multiplier_for(epsilon, DELTA, rounds)
    assert epsilon_of({sigma: rounds}, DELTA) <= epsilon
    assert epsilon_of({sigma - 0.01: rounds}, DELTA) > epsilon


def test_rounds_of_different_noise_add_up():
    together = epsilon_of({1.0: 2, 3.0: 4}, DELTA)
    assert together > max(epsilon_of({1.0: 2}, DELTA), epsilon_of({3.0: 4}, DELTA))
    assert together < epsilon_of({1.0: 6}, DELTA)


def test_a_budget_for_ten_rounds_pays_for_ten_and_no_more(tmp_path):
    sigma = noise_multiplier_for(8.0, DELTA, 10)
    budget = PrivacyBudget(tmp_path / "privacy.json", epsilon=8.0, delta=DELTA)
    spent = [budget.spend(sigma) for _ in range(10)]
    assert spent == sorted(spent)
    assert spent[-1] == pytest.approx(8.0, rel=1e-3)
    with pytest.raises(PrivacyError, match="after 10 rounds"):
        budget.spend(sigma)
    assert (budget.rounds, budget.epsilon) == (10, spent[-1])


def test_what_was_spent_stays_spent_after_a_restart(tmp_path):
    path = tmp_path / "state" / "privacy.json"
    first = PrivacyBudget(path, epsilon=20.0, delta=DELTA)
    first.spend(1.0)
    first.spend(1.5)
    again = PrivacyBudget(path, epsilon=20.0, delta=DELTA)
    assert again.epsilon == first.epsilon > 0
    with pytest.raises(PrivacyError):
        PrivacyBudget(path, epsilon=again.epsilon, delta=DELTA).spend(50.0)


def test_shares_are_paid_from_the_same_budget_as_updates(tmp_path):
    path = tmp_path / "privacy.json"
    budget = PrivacyBudget(path, epsilon=20.0, delta=DELTA)
    budget.spend(3.0)
    budget.spend(1.0, "shares")
    assert (budget.rounds, budget.shares) == (1, 1)
    assert budget.epsilon == pytest.approx(epsilon_of({3.0: 1, 1.0: 1}, DELTA))
    again = PrivacyBudget(path, epsilon=20.0, delta=DELTA)
    assert (again.rounds, again.shares, again.epsilon) == (1, 1, budget.epsilon)
    spent = read_spent(path)
    assert (spent.epsilon, spent.delta) == (budget.epsilon, DELTA)
    with pytest.raises(PrivacyError, match="after 1 rounds"):
        PrivacyBudget(path, epsilon=again.epsilon, delta=DELTA).spend(9.0, "shares")


def test_a_budget_from_before_shares_counts_on(tmp_path):
    path = tmp_path / "privacy.json"
    path.write_text('{"format": "vad-edge-privacy-1", "rounds": {"1.5": 2}}')
    budget = PrivacyBudget(path, epsilon=20.0, delta=DELTA)
    assert budget.epsilon == epsilon_of({1.5: 2}, DELTA)
    budget.spend(1.5, "shares")
    assert PrivacyBudget(path, epsilon=20.0, delta=DELTA).epsilon == epsilon_of({1.5: 3}, DELTA)


def test_no_noise_is_no_privacy(tmp_path):
    budget = PrivacyBudget(tmp_path / "privacy.json", epsilon=1e9, delta=DELTA)
    assert budget.epsilon == 0
    with pytest.raises(PrivacyError, match="inf"):
        budget.spend(0.0)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"\xff", b"[]", b'{"format": "vad-edge-privacy-1", "rounds": {"-1": 1}}'),
        b'{"format": "vad-edge-privacy-2", "rounds": {}, "epsilon": 0.0, "delta": 0.1}',
    ],
)
def test_a_damaged_ledger_is_never_a_new_start(tmp_path, content):
    (tmp_path / "privacy.json").write_bytes(content)
    with pytest.raises(PrivacyError, match="restore the file"):
        PrivacyBudget(tmp_path / "privacy.json", epsilon=1.0, delta=DELTA)


def test_what_cannot_be_written_down_is_not_spent(tmp_path):
    path = tmp_path / "state" / "privacy.json"
    budget = PrivacyBudget(path, epsilon=20.0, delta=DELTA)
    (tmp_path / "state").write_bytes(b"a file where the folder should be")
    with pytest.raises(StorageError, match="cannot write"):
        budget.spend(1.0)
    assert budget.rounds == 0


@pytest.mark.parametrize(("epsilon", "delta"), [(0, 1e-5), (-1, 1e-5), (1, 0), (1, 1)])
def test_budgets_that_promise_nothing_are_refused(tmp_path, epsilon, delta):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        PrivacyBudget(tmp_path / "privacy.json", epsilon=epsilon, delta=delta)
