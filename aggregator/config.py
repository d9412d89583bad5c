"""The one schema of ``configs/aggregator.yaml``. Paths are relative to the file's own folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    JsonValue,
    SecretStr,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from aggregator.distillation.options import Ased
from aggregator.participants import PARTICIPANTS
from edge.errors import ConfigError
from edge.schema import Id, Positive, Section, TlsSection, beside, read_config
from edge.wire.rounds import Mode

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class MqttSection(Section):
    """Where the participants are met."""

    host: str = "127.0.0.1"
    port: int = Field(default=8883, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    tls: TlsSection | None = None
    prefix: str = Field(default="vad", pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)?$")


class RoundsSection(Section):
    """When a round is over."""

    mode: Mode = Mode.SYNCHRONOUS
    quorum: Count = 2  # fewest distinct participants; with fewer the deadline is extended
    close_at: Count | None = None  # so many close it before its deadline; default: the quorum
    timeout_s: Positive = 3600.0
    statistics_timeout_s: Positive = 300.0
    max_staleness: int = Field(default=0, ge=0)  # rounds; mode buffered needs it
    count: Count | None = None  # rounds after which the federation is finished; default: never

    @model_validator(mode="after")
    def _consistent(self) -> RoundsSection:
        if self.close_at is not None and self.close_at < self.quorum:
            raise ValueError("close_at is below the quorum: a round never closes with fewer")
        if self.max_staleness and self.mode is not Mode.BUFFERED:
            raise ValueError("max_staleness goes with mode: buffered; synchronous rounds take none")
        if self.mode is Mode.BUFFERED and not self.max_staleness:
            raise ValueError("mode: buffered needs max_staleness: so many rounds late, and no more")
        return self


class StrategySection(Section):
    """How updates become the next model."""

    name: str = "fedavg"
    options: dict[str, Any] = Field(default_factory=dict)


class PrivacySection(Section):
    """What every participant does to its update before it leaves."""

    clip_norm: Positive
    noise_multiplier: NotNegative = 0.0


class SecureSection(Section):
    """Secure aggregation: the aggregator learns the sum of the updates alone."""

    # participants that must stay to a round's end; at most twice as many less one can take part
    threshold: int = Field(ge=2, le=500)
    max_examples: Count = 100_000  # a participant counts for no more; fewer make a finer sum
    step_timeout_s: Positive = 60.0  # of each exchange of keys and shares


class DistillationSection(Section):
    """A teacher improves each round's models with public videos, in a process of its own."""

    public: Path  # what ``public add`` made
    timeout_s: Positive = 600.0  # after which a round goes on with the models that it averaged
    captions: bool = True  # the teacher reads them; false: it only looks
    seed: int = Field(default=0, ge=0)
    options: Ased = Field(default_factory=Ased)

    @field_validator("options", mode="wrap")
    @classmethod
    def _told_with_its_line(cls, value: object, build: ValidatorFunctionWrapHandler) -> object:
        try:
            return build(value)
        except ConfigError as error:
            raise ValueError(str(error)) from None


class MetricsSection(Section):
    """Figures for Prometheus over HTTP."""

    port: int = Field(ge=1, le=65535)
    host: str = "127.0.0.1"


class AggregatorConfig(Section):
    """The whole file."""

    federation: Id
    data_dir: Path = Path("data")
    keys_dir: Path = Path("keys")  # what ``provision`` made
    model: Path  # safetensors of the first round; its metadata say which student it is
    mqtt: MqttSection = MqttSection()
    rounds: RoundsSection = RoundsSection()
    strategy: StrategySection = StrategySection()
    plan: dict[Id, JsonValue] = Field(
        default_factory=dict
    )  # of local training: epochs, learning_rate, ...
    compression: Literal["fp32", "int8", "int4", "sparse"] | None = None  # default: int8
    privacy: PrivacySection | None = None
    secure: SecureSection | None = None
    distillation: DistillationSection | None = None
    metrics: MetricsSection | None = None
    words: Path | None = None  # word model with a text tower: embeds sentences for the hosts

    @property
    def participants_file(self) -> Path:
        """Names and public keys of the hosts (``aggregator.participants``)."""
        return self.keys_dir / PARTICIPANTS

    @model_validator(mode="after")
    def _secure_combines(self) -> AggregatorConfig:
        secure, rounds = self.secure, self.rounds
        if secure is None:
            return self
        if rounds.mode is Mode.BUFFERED:
            raise ValueError("secure needs mode: synchronous: masks are of one round")
        if self.privacy is None:
            raise ValueError("secure needs privacy.clip_norm: it bounds the numbers that are added")
        if self.compression is not None:
            raise ValueError("secure and compression exclude each other: noise does not compress")
        if not secure.threshold <= rounds.quorum:
            raise ValueError("secure.threshold is above rounds.quorum: no such round could end")
        if (rounds.close_at or rounds.quorum) > 2 * secure.threshold - 1:
            raise ValueError(
                "secure.threshold must be more than half of rounds.close_at (default: the quorum)"
            )
        return self


def load_config(path: Path, environment: Mapping[str, str] = os.environ) -> AggregatorConfig:
    """Read and check one file; relative paths come out absolute.

    Raises ConfigError with every mistake that was found, one a line.
    """
    config = read_config(AggregatorConfig, path, environment, example="configs/aggregator.yaml")
    return _anchored(config, path)


def _anchored(config: AggregatorConfig, path: Path) -> AggregatorConfig:
    """Make paths that the operator wrote relative to the file independent of the shell's folder."""
    at = beside(path)
    tls, distillation = config.mqtt.tls, config.distillation
    if distillation is not None:
        distillation = distillation.model_copy(update={"public": at(distillation.public)})
    return config.model_copy(
        update={
            "data_dir": at(config.data_dir),
            "keys_dir": at(config.keys_dir),
            "model": at(config.model),
            "words": at(config.words),
            "distillation": distillation,
            "mqtt": config.mqtt.model_copy(update={"tls": tls and tls.anchored(at)}),
        }
    )
