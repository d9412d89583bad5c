"""What a method's name asks for: ``NAME[+ased|+vd][+tuned]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aggregator.strategies.port import Strategy
from aggregator.strategies.registry import make_strategy
from edge.errors import ConfigError

LOCAL, CENTRALISED, SCAFFOLD = "local", "centralised", "scaffold"
TUNED, CAPTIONED, VISUAL = "tuned", "ased", "vd"
SUFFIXES = (CAPTIONED, VISUAL, TUNED)


@dataclass(frozen=True, slots=True)
class Method:
    """One way to learn."""

    name: str  # ``LOCAL``, ``CENTRALISED`` or a strategy's
    tuned: bool = False  # judged by the model after one more local epoch, as hosts use it
    distilled: bool = False  # each round's models are improved with public videos
    captions: bool = False  # and with what these say in words

    @classmethod
    def parse(cls, text: str) -> Method:
        """Read a name with its suffixes; ConfigError where they make no sense."""
        name, *suffixes = text.split("+")
        expected = [each for each in SUFFIXES if each in suffixes]
        if suffixes != expected or {CAPTIONED, VISUAL} <= {*suffixes}:
            raise ConfigError(f"--methods {text}: expected NAME[+ased|+vd][+tuned]")
        if suffixes and name in (LOCAL, CENTRALISED):
            raise ConfigError(f"--methods {text}: +{suffixes[0]} is for strategies")
        return cls(
            name,
            tuned=TUNED in suffixes,
            distilled={CAPTIONED, VISUAL} & {*suffixes} != set(),
            captions=CAPTIONED in suffixes,
        )

    @property
    def is_federated(self) -> bool:
        """Whether its name is a strategy's."""
        return self.name not in (LOCAL, CENTRALISED)

    def counts_objects(self, options: Mapping[str, Mapping[str, Any]]) -> bool:
        """Whether participants are asked for the shares of object classes, if there are any."""
        return self.is_federated and bool(self.strategy(options, ("any",)).classes)

    def strategy(
        self, options: Mapping[str, Mapping[str, Any]], classes: tuple[str, ...] = ()
    ) -> Strategy:
        """The aggregator's; it asks for ``classes`` where nobody named others, if for any.

        Raises ConfigError where it does not exist or has no such options.
        """
        chosen = dict(options.get(self.name, {}))
        strategy = make_strategy(self.name, **chosen)
        if strategy.classes and "classes" not in chosen:
            return make_strategy(self.name, **chosen, classes=classes)
        return strategy
