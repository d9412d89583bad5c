"""How much of its privacy a host has spent, over all rounds of all federations.

**What is protected.** One host's whole footage (client level). Neighbouring are a host that
trained on its footage and the same host with no footage at all, whose delta is zero: clipping to
the norm C bounds their distance by C. For two different footages the distance is 2 C: their ε is
that of half the noise multiplier.

**From whom.** From everybody, the aggregator included: every host clips its own update and adds
N(0, (σC)²) to each coordinate before anything leaves (the local model). The sum of K such updates
carries N(0, K (σC)²), so for whoever sees the sum alone (secure aggregation) a host's noise
multiplier is σ√K if all K are honest; the ledger does not count on that.

**What it adds up to.** Rényi differential privacy of the Gaussian mechanism (Mironov, CSF 2017),
added over rounds and turned into (ε, δ) by dp-accounting's accountant. No amplification by
sampling: every host is in every round. Adding is valid though every round's update depends on
what earlier rounds published (adaptive composition).

**When it is spent.** Before sending, and for good. An update that was computed and not sent has
cost nothing yet, but a host cannot know that of one it tried to send: a lost acknowledgement is no
lost message. Hence ``spend`` comes first; a process killed between the two has spent a round for
nothing. Sending the *same bytes* again is free; training or drawing noise again is a new round.

**What it does not cover.** The number of examples and the three numbers of ``fl-statistics-1``,
unless they too are noised.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

import dp_accounting
from dp_accounting import rdp

from edge.atomic import write_atomically
from edge.errors import ConfigError, PrivacyError, StorageError

FORMAT = "vad-edge-privacy-1"


def epsilon_of(spent: Mapping[float, int], delta: float) -> float:
    """ε at ``delta`` of ``spent``: noise multiplier → number of rounds sent with it."""
    accountant = rdp.RdpAccountant()
    for noise_multiplier, rounds in spent.items():
        accountant.compose(dp_accounting.GaussianDpEvent(noise_multiplier), rounds)
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
        self._spent = _read(path)

    @property
    def epsilon(self) -> float:
        """ε spent so far, at the budget's δ."""
        return epsilon_of(self._spent, self._delta) if self._spent else 0.0

    @property
    def rounds(self) -> int:
        """How many updates were paid for."""
        return sum(self._spent.values())

    def check(self, noise_multiplier: float) -> None:
        """PrivacyError where ``spend`` would raise it: such an update need not be computed."""
        self._after(noise_multiplier)

    def spend(self, noise_multiplier: float) -> float:
        """Pay for one update, durably, before it is sent; returns the ε spent by then.

        PrivacyError where it would exceed the budget, StorageError where it cannot be written
        down. After either the update must not be sent.
        """
        after, total = self._after(noise_multiplier)
        _write(self._path, after)
        self._spent = after
        return total

    def _after(self, noise_multiplier: float) -> tuple[dict[float, int], float]:
        """What will be spent with one update more, and its ε."""
        after = dict(self._spent)
        after[noise_multiplier] = after.get(noise_multiplier, 0) + 1
        total = epsilon_of(after, self._delta) if noise_multiplier > 0 else math.inf
        if total > self._limit:
            raise PrivacyError(
                f"the privacy budget is spent: ε {self.epsilon:.3g} of {self._limit:.3g} after "
                f"{self.rounds} rounds, the next would make it {total:.3g} (δ {self._delta:.1g}); "
                "this host takes part no longer; it still receives models"
            )
        return after, total


def _read(path: Path) -> dict[float, int]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"not of format {FORMAT}")
        spent = {float(sigma): int(rounds) for sigma, rounds in content["rounds"].items()}
        if not all(sigma > 0 and rounds > 0 for sigma, rounds in spent.items()):
            raise ValueError("not positive")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise PrivacyError(
            f"the privacy ledger {path} cannot be read ({error}): what this host has given away "
            "is unknown, so nothing is sent; restore the file from a backup"
        ) from error
    return spent


def _write(path: Path, spent: Mapping[float, int]) -> None:
    """Replace the file, so that not even a power cut brings the old one back."""
    content = {"format": FORMAT, "rounds": {repr(sigma): n for sigma, n in spent.items()}}
    write_atomically(path, json.dumps(content).encode())
    try:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
