"""From a trained delta to the bytes that leave: clip, add noise, pay for it, compress."""

from __future__ import annotations

from dataclasses import dataclass

from edge.domain.fixed_point import Words
from edge.domain.weights import Weights
from edge.errors import PrivacyError
from edge.federation.feedback import ErrorFeedback
from edge.federation.noise import clipped, noised
from edge.federation.privacy_budget import PrivacyBudget
from edge.wire.rounds import Privacy, Settings


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """What will leave, and what stays for the next update."""

    payload: bytes
    rest: Weights | None  # error feedback: what the compression left out; None: nothing


class Packing:
    """One host's terms; the aggregator's settings can be stricter, not laxer."""

    def __init__(self, budget: PrivacyBudget | None = None) -> None:
        """``budget``: with one, nothing leaves without noise, nor beyond the budget."""
        self._budget = budget

    def check(self, privacy: Privacy | None) -> None:
        """PrivacyError where nothing may leave under these terms, whatever is trained."""
        if self._budget is None:
            return
        if privacy is None or privacy.noise_multiplier == 0:
            raise PrivacyError(
                "this host has a privacy budget and the federation asks for no noise: nothing "
                "is sent; ask its operator to set privacy.noise_multiplier"
            )
        self._budget.check(privacy.noise_multiplier)

    def pack(self, delta: Weights, settings: Settings, rest: Weights | None) -> Packed:
        """Compress ``delta`` and the ``rest`` of earlier ones; noise comes first.

        The noise is paid for here, before anything can leave: send the result any number of times.
        Raises PrivacyError where the budget forbids it, ModelError where the delta is not finite.
        """
        private = self.protect(delta, settings.privacy)
        return Packed(*ErrorFeedback(rest).propose(private, settings.compression))

    def encode(self, delta: Weights, num_examples: int, settings: Settings) -> Words:
        """The same for secure aggregation, ready for its masks: numbers that add up, uncompressed.

        Raises ConfigError besides, where the aggregator's terms are impossible.
        """
        point = settings.fixed_point()
        weighted = settings.masking is not None and settings.masking.weighted
        private = self.protect(delta, settings.privacy)
        return point.encode(private, num_examples if weighted else 1)

    def protect(self, delta: Weights, privacy: Privacy | None) -> Weights:
        """Clip, add noise, pay."""
        self.check(privacy)
        if privacy is None:
            return delta
        noise = privacy.noise_multiplier
        if noise == 0:
            return clipped(delta, privacy.clip_norm)
        private = noised(delta, clip_norm=privacy.clip_norm, noise_multiplier=noise)
        if self._budget is not None:
            self._budget.spend(noise)
        return private
