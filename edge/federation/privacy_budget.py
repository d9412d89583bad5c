"""How much of its privacy a host has spent, over all rounds of all federations.

**What is protected.** One host's whole footage (client level). Neighbouring are a host that
trained on its footage and the same host with no footage at all, whose delta is zero: clipping to
the norm C bounds their distance by C. For two different footages the distance is 2 C: their ε is
that of half the noise multiplier. Shares of object classes have the same unit: no footage, no
shares, and a distribution is no longer than 1 (two of them are no farther apart than √2).

**From whom.** From everybody, the aggregator included: every host clips its own update and adds
N(0, (σC)²) to each coordinate before anything leaves (the local model). The sum of K such updates
carries N(0, K (σC)²), so for whoever sees the sum alone (secure aggregation) a host's noise
multiplier is σ√K if all K are honest; the ledger does not count on that.

**What it adds up to.** Rényi differential privacy of the Gaussian mechanism (Mironov, CSF 2017),
added over all releases, be they of updates or shares and of whatever noise, and turned into (ε, δ)
by dp-accounting's accountant. No amplification by sampling: every host is in every round. Adding is
valid though every round's update depends on what earlier rounds published (adaptive composition).

**When it is spent.** Before sending, and for good. An update that was computed and not sent has
cost nothing yet, but a host cannot know that of one it tried to send: a lost acknowledgement is no
lost message. Hence ``spend`` comes first; a process killed between the two has spent a round for
nothing. Sending the *same bytes* again is free: shares are drawn once and kept; training or drawing
noise again is a new release.

**What it does not cover.** Whether and when a host has footage; the number of examples and the
three numbers of ``fl-statistics-1``, unless they too are noised.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import dp_accounting
from dp_accounting import rdp

from edge.errors import ConfigError, PrivacyError
from edge.federation.spent import Release, Spent, read_spent, write_spent


def epsilon_of(spent: Mapping[float, int], delta: float) -> float:
    """ε at ``delta`` of ``spent``: noise multiplier → number of releases that carried it."""
    accountant = rdp.RdpAccountant()
    for noise_multiplier, releases in spent.items():
        accountant.compose(dp_accounting.GaussianDpEvent(noise_multiplier), releases)
    return float(accountant.get_epsilon(delta))


def noise_multiplier_for(epsilon: float, delta: float, rounds: int) -> float:
    """The least noise multiplier with which ``rounds`` rounds cost no more than ``epsilon``."""

    def event(noise_multiplier: float) -> dp_accounting.DpEvent:
        return dp_accounting.SelfComposedDpEvent(
            dp_accounting.GaussianDpEvent(noise_multiplier), rounds
        )

    tolerance = 1e-4
    found = dp_accounting.calibrate_dp_mechanism(
        rdp.RdpAccountant,
        event,
        epsilon,
        delta,
        dp_accounting.LowerEndpointAndGuess(0.0, math.sqrt(rounds)),
        tol=tolerance,
    )
    return float(found)


class PrivacyBudget:
    """The (ε, δ) ledger of one host, in one small file; to be used by one process.

    The file is what keeps the promise: one that cannot be read is an error, never a new start.
    """

    def __init__(self, path: Path, *, epsilon: float, delta: float) -> None:
        """``epsilon`` and ``delta`` are all that may ever be spent; ConfigError if impossible."""
        if not (epsilon > 0 and 0 < delta < 1):
            raise ConfigError(
                f"privacy: epsilon {epsilon} and delta {delta}: epsilon must be above 0, delta "
                "between 0 and 1, well below one over the number of hosts"
            )
        self._path = path
        self._limit = epsilon
        self._delta = delta
        self._spent = read_spent(path)

    @property
    def epsilon(self) -> float:
        """ε spent so far, at the budget's δ."""
        releases = self._spent.releases
        return epsilon_of(releases, self._delta) if releases else 0.0

    @property
    def rounds(self) -> int:
        """How many updates were paid for."""
        return self._spent.rounds.total()

    @property
    def shares(self) -> int:
        """How many times shares of object classes were paid for."""
        return self._spent.shares.total()

    def check(self, noise_multiplier: float) -> None:
        """PrivacyError where ``spend`` would raise it: such an update need not be computed."""
        self._after(noise_multiplier, "rounds")

    def spend(self, noise_multiplier: float, release: Release = "rounds") -> float:
        """Pay for one release, durably, before it is sent; returns the ε spent by then.

        PrivacyError where it would exceed the budget, StorageError where it cannot be written
        down. After either it must not be sent.
        """
        after, total = self._after(noise_multiplier, release)
        write_spent(self._path, replace(after, epsilon=total, delta=self._delta))
        self._spent = after
        return total

    def _after(self, noise_multiplier: float, release: Release) -> tuple[Spent, float]:
        """What will be spent with one release more, and its ε."""
        one = Counter([noise_multiplier])
        before = self._spent
        if release == "rounds":
            after = replace(before, rounds=before.rounds + one)
        else:
            after = replace(before, shares=before.shares + one)
        total = epsilon_of(after.releases, self._delta) if noise_multiplier > 0 else math.inf
        if total > self._limit:
            raise PrivacyError(
                f"the privacy budget is spent: ε {self.epsilon:.3g} of {self._limit:.3g} after "
                f"{self.rounds} rounds, the next would make it {total:.3g} (δ {self._delta:.1g}); "
                "this host takes part no longer; it still receives models"
            )
        return after, total
