"""SCAFFOLD: control variates against the drift of participants (Karimireddy et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aggregator.strategies.averaging import Averaging
from aggregator.strategies.options import Share
from aggregator.strategies.port import LocalRule, Step, prefixed
from edge.domain.weights import Shapes, Weights, added

CONTROL = "control/"
"""Before the names of control variates: in the published model, in updates, in the state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaffold(Averaging):
    """Algorithm 1: θ ← θ + λ · mean Δyₖ, c ← c + |S| / N · mean Δcₖ; all S of N count the same.

    An update carries Δyₖ under the model's names and Δcₖ under ``control/<name>``.
    """

    name = "scaffold"
    participation: Share = 1.0  # |S| / N: the share of the federation that a round hears

    @property
    def local(self) -> LocalRule:
        """Corrected descent."""
        return LocalRule(control_variates=True)

    def expects(self, model: Weights) -> Shapes:
        """Every weight, and its control variate."""
        return {**prefixed("", model), **prefixed(CONTROL, model)}

    def published(self, model: Weights, state: Weights) -> Weights:
        """The model and the server's control variate, zero before the first round."""
        return {**model, **self._control(model, state)}

    def step(self, model: Weights, state: Weights, mean: Weights) -> Step:
        """Both means move what they belong to."""
        control = added(self._control(model, state), mean, self.participation)
        return Step(added(model, mean, self.server_learning_rate), control)

    def _control(self, model: Weights, state: Weights) -> Weights:
        return {
            CONTROL + name: state.get(CONTROL + name, np.zeros_like(array))
            for name, array in model.items()
        }
