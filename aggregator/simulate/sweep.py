"""The same table for several values of one setting, as FedVAD's Figs. 5 and 6 have it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from aggregator.simulate.study import Study
from edge.errors import ConfigError

LOCAL_EPOCHS = "local-epochs"
FORM = f"expected {LOCAL_EPOCHS}=N,N or METHOD.OPTION=VALUE,VALUE, as fvcc.num_clusters=2,3"


@dataclass(frozen=True, slots=True)
class Sweep:
    """A setting and its values."""

    name: str  # ``LOCAL_EPOCHS``, or METHOD.OPTION
    values: tuple[Any, ...]

    @classmethod
    def parse(cls, text: str) -> Sweep:
        """Read ``NAME=VALUE,VALUE``; raises ConfigError."""
        name, _, written = text.partition("=")
        values = tuple(_value(each) for each in written.split(",") if each)
        numbers = all(isinstance(value, int) and value > 0 for value in values)
        if not values or not ("." in name or (name == LOCAL_EPOCHS and numbers)):
            raise ConfigError(f"--sweep {text}: {FORM}")
        return cls(name, values)

    def studies(self, study: Study) -> list[Study]:
        """One for each value.

        With more local epochs there are fewer rounds, so that everybody trains as long.
        """
        if self.name == LOCAL_EPOCHS:
            epochs = study.recipe.rounds * study.recipe.plan.epochs
            return [
                replace(study, local_epochs=value, rounds=max(epochs // value, 1))
                for value in self.values
            ]
        method, _, option = self.name.partition(".")
        own = study.options.get(method, {})
        return [
            replace(study, options={**study.options, method: {**own, option: value}})
            for value in self.values
        ]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # a word
