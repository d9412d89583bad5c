"""How rounds are run, and the first of them; what a restart under another plan means for them."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, replace

from aggregator.records import Outcome, Round
from aggregator.store import Store
from aggregator.strategies.port import Strategy
from edge.domain.weights import Weights, shapes_of
from edge.errors import ConfigError
from edge.wire.rounds import Mode, Phase, Settings, decode_message, encode_message
from edge.wire.weights import decode_weights, encode_weights, fingerprint

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """How rounds are run."""

    settings: Settings
    quorum: int  # fewest distinct participants of a round
    close_at: int  # a round with so many closes before its deadline
    round_s: float  # from the beginning of the updates' phase to its deadline
    statistics_s: float  # the same of the statistics
    collects_statistics: bool  # whether the student's labels need the mixture
    distillation_s: float = 0.0  # after which averaged models are not improved any more
    step_s: float = 60.0  # for each exchange of keys and shares, under secure aggregation
    max_staleness: int = 0  # rounds; of buffered mode
    rounds: int | None = None  # after which the federation is finished; None: never

    def first_phase(self, *, with_statistics: bool) -> Phase:
        """What a round begins with, or goes on with once the statistics are there."""
        if with_statistics:
            return Phase.STATISTICS
        return Phase.UPDATES if self.settings.masking is None else Phase.KEYS

    def patience_s(self, phase: Phase) -> float:
        """How long a phase may last."""
        waits_s = {
            Phase.STATISTICS: self.statistics_s,
            Phase.UPDATES: self.round_s,
            Phase.DISTILLATION: self.distillation_s,
        }
        return waits_s.get(phase, self.step_s)


def first_round(plan: Plan, model: str, now_s: float, *, number: int = 1) -> Round:
    """A round at its beginning; ``model`` is the fingerprint of its weights."""
    overlaps = plan.settings.mode is Mode.BUFFERED and number > 1  # with rounds before it
    phase = plan.first_phase(with_statistics=plan.collects_statistics and not overlaps)
    if plan.rounds is not None and number > plan.rounds:
        phase = Phase.FINISHED
    return Round(number, phase, 1, model, now_s, now_s + plan.patience_s(phase))


def begin(store: Store, strategy: Strategy, plan: Plan, model: Weights, now_s: float) -> None:
    """Put the first round into an empty store; ConfigError where strategy and model do not fit."""
    strategy.expects(model)
    first = first_round(plan, fingerprint(model), now_s)
    store.save_settings(encode_message(plan.settings))
    store.begin(first, outcome_of(model, {}), run=secrets.token_hex(8))


def resume(store: Store, plan: Plan, model: Weights, now_s: float) -> None:
    """Go on with what is in the store, under a plan that may be another one than before.

    ``model`` is the configured first one. ConfigError where the plan cannot go on with this.
    """
    running = store.running()
    stored = store.settings()
    assert running is not None
    assert stored is not None
    before = decode_message(stored, Settings)
    _check_model(store, before, plan, model)
    if before.classes != plan.settings.classes:
        _forget_objects(store, running)
    if running.phase is Phase.FINISHED:
        # more rounds are wanted by now, perhaps
        store.save_round(first_round(plan, running.fingerprint, now_s, number=running.number))
    elif _masks(before) != _masks(plan.settings):
        _skip(store, running, plan, now_s)
    store.save_settings(encode_message(plan.settings))


def _check_model(store: Store, before: Settings, plan: Plan, model: Weights) -> None:
    now = plan.settings
    same = (before.student, before.spec_versions) == (now.student, now.spec_versions)
    if not same or shapes_of(decode_weights(store.outcome().model)) != shapes_of(model):
        raise ConfigError(
            "model: data_dir holds a federation that learns another student: name the model that "
            "it began with, or give the new federation a data_dir of its own"
        )


def _forget_objects(store: Store, running: Round) -> None:
    """Shares that were said of other classes are none of these; ConfigError amid a round.

    Also where clusters are given up: what was trained from a cluster's model is no difference from
    everybody's.
    """
    if store.count_payloads():
        raise ConfigError(
            f"strategy: round {running.number} has accepted updates under other classes of "
            "objects: configure the former strategy until that round is over"
        )
    store.forget_objects()


def _masks(settings: Settings) -> object:
    """What must not change while masked updates are under way: how they are encoded."""
    return None if settings.masking is None else (settings.masking, settings.privacy)


def _skip(store: Store, running: Round, plan: Plan, now_s: float) -> None:
    """Begin the next round: who took part in this one would not do so again under new terms."""
    if store.count_payloads():
        raise ConfigError(
            f"secure: round {running.number} has accepted updates that are not masked: configure "
            "it as before until that round is over"
        )
    log.warning("round %d ends without a result: secure aggregation changed", running.number)
    number = running.number + 1
    following = first_round(plan, running.fingerprint, now_s, number=number)
    store.finish_round(replace(running, ended_s=now_s), following, store.outcome())


def outcome_of(model: Weights, state: Weights) -> Outcome:
    """Encoded for the store."""
    return Outcome(encode_weights(model), encode_weights(state))
