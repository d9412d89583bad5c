"""From the configuration to the objects that it describes."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from pydantic import JsonValue, TypeAdapter, ValidationError

from aggregator.config import AggregatorConfig, MqttSection, SecureSection
from aggregator.distilling import Distiller
from aggregator.first_model import FirstModel, read_first_model
from aggregator.metrics import Metrics
from aggregator.participants import registered
from aggregator.plan import Plan, begin, resume
from aggregator.provision import SIGNING_KEY
from aggregator.readers import Reader, open_words
from aggregator.rounds import Rounds
from aggregator.secure import SecureRounds
from aggregator.store import Store
from aggregator.strategies.port import Strategy
from aggregator.strategies.registry import make_strategy
from aggregator.transfers import Uploads
from aggregator.unmasking import check_combination
from edge.errors import BrokerRefusedError, ConfigError
from edge.mqtt import MqttBroker, MqttSettings, Tls
from edge.schema import TlsSection
from edge.wire.broker import Broker
from edge.wire.federation_topics import AGGREGATOR, FederationTopics
from edge.wire.keys import read_signing_key
from edge.wire.letters import Letters
from edge.wire.rounds import Classes, Masking, Mode, Privacy, Settings

DEFAULT_COMPRESSION = "int8"
STORE = "aggregator.sqlite"


@dataclass(frozen=True, slots=True)
class Site:
    """All parts of one aggregator."""

    store: Store
    rounds: Rounds
    uploads: Uploads
    letters: Letters
    topics: FederationTopics
    broker: Broker
    metrics: Metrics
    reader: Reader | None = None  # of the hosts' sentences, where there is a word model
    distiller: Distiller | None = None  # of each round's models, where there are public videos


def open_site(config: AggregatorConfig, path: Path) -> Site:
    """Make every part; ``config`` was read from ``path``.

    ConfigError where they do not fit together, before anything is said.
    """
    strategy = make_strategy(config.strategy.name, **config.strategy.options)
    model = read_first_model(config.model)
    plan = make_plan(config, strategy, model)
    distiller = make_distiller(config, path) if config.distillation else None
    listed = registered(config.participants_file)
    keys = listed or {}
    signing_key = read_signing_key(config.keys_dir / SIGNING_KEY)
    broker = make_broker(config.mqtt, config.federation)
    words = open_words(config.words) if config.words else None
    metrics = Metrics()
    if config.metrics is not None:
        metrics.serve(config.metrics.host, config.metrics.port)
    store = Store(config.data_dir / STORE)
    if store.running() is None:
        begin(store, strategy, plan, model.weights, time.time())
    else:
        resume(store, plan, model.weights, time.time())
    kind = SecureRounds if config.secure else Rounds
    return Site(
        store=store,
        rounds=kind(store, strategy, plan, distiller, registered=listed),
        uploads=Uploads(config.data_dir / "uploads"),
        letters=Letters(AGGREGATOR, signing_key, keys, store.sequences()),
        topics=FederationTopics(config.mqtt.prefix, config.federation),
        broker=broker,
        metrics=metrics,
        reader=Reader(words, broker, config.mqtt.prefix) if words else None,
        distiller=distiller,
    )


def make_plan(config: AggregatorConfig, strategy: Strategy, model: FirstModel) -> Plan:
    """ConfigError where the strategy cannot work with these rounds."""
    rounds = config.rounds
    if rounds.quorum < strategy.min_updates:
        raise ConfigError(
            f"rounds.quorum {rounds.quorum}: strategy {config.strategy.name} needs at least "
            f"{strategy.min_updates} updates"
        )
    if strategy.clustering and rounds.mode is Mode.BUFFERED:
        raise ConfigError(
            f"rounds.mode buffered: strategy {config.strategy.name} compares updates of one round: "
            "use mode: synchronous"
        )
    check_combination(
        config.strategy.name,
        strategy_sees_updates=strategy.sees_updates,
        secure=config.secure is not None,
    )
    return Plan(
        settings=_settings(config, strategy, model),
        quorum=rounds.quorum,
        close_at=rounds.close_at or rounds.quorum,
        round_s=rounds.timeout_s,
        statistics_s=rounds.statistics_timeout_s,
        distillation_s=config.distillation.timeout_s if config.distillation else 0.0,
        step_s=config.secure.step_timeout_s if config.secure else 0.0,
        collects_statistics=model.needs_mixture,
        max_staleness=rounds.max_staleness,
        rounds=rounds.count,
    )


def _settings(config: AggregatorConfig, strategy: Strategy, model: FirstModel) -> Settings:
    try:
        classes = TypeAdapter(Classes).validate_python(strategy.classes)
    except ValidationError as error:
        why = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise ConfigError(f"strategy.options: classes of objects: {why}") from None
    return Settings(
        student=model.student,
        spec_versions=model.spec_versions,
        plan=config.plan,
        rule={name: _plain(value) for name, value in asdict(strategy.local).items()},
        compression=config.compression or DEFAULT_COMPRESSION,
        privacy=Privacy(**config.privacy.model_dump()) if config.privacy else None,
        mode=config.rounds.mode,
        masking=_masking(config.secure, strategy) if config.secure else None,
        classes=classes,
    )


def make_distiller(config: AggregatorConfig, path: Path) -> Distiller:
    """Of the configuration in ``path``, which names public videos; not yet at work.

    ConfigError where it could do nothing.
    """
    assert config.distillation is not None
    if not config.distillation.public.is_dir():
        raise ConfigError(
            f"distillation.public {config.distillation.public}: no such folder: "
            "`vad-aggregator public add` makes it"
        )
    if find_spec("torch") is None:
        raise ConfigError(
            "distillation trains, and torch is not installed: pip install 'vad-edge[learn]'"
        )
    what = ["distil", "--until-eof", "-c", str(path.resolve())]
    command = [sys.executable, "-m", "aggregator.cli", *what]
    return Distiller(command, config.data_dir / "distillation")


def make_broker(mqtt: MqttSection, federation: str) -> MqttBroker:
    """Not yet connected; ConfigError where a certificate cannot be used."""
    tls = _tls(mqtt.tls) if mqtt.tls else None
    password = mqtt.password.get_secret_value() if mqtt.password else None
    return MqttBroker(
        MqttSettings(
            host=mqtt.host,
            port=mqtt.port,
            client_id=f"{mqtt.prefix.replace('/', '-')}-{federation}-{AGGREGATOR}",
            username=mqtt.username,
            password=password,
            tls=tls,
        )
    )


def _tls(files: TlsSection) -> Tls:
    tls = Tls(files.ca, files.cert, files.key)
    try:
        tls.context()  # else it would be tried for ever
    except BrokerRefusedError as error:
        raise ConfigError(f"mqtt.tls: {error}") from None
    return tls


def _masking(secure: SecureSection, strategy: Strategy) -> Masking:
    return Masking(
        threshold=secure.threshold,
        max_examples=secure.max_examples,
        weighted=strategy.weighting == "examples",
    )


def _plain(value: float | str | tuple[str, ...]) -> JsonValue:
    return list(value) if isinstance(value, tuple) else value
