"""What the participants are told of the running round."""

from __future__ import annotations

from aggregator.models import Models
from aggregator.plan import Plan
from aggregator.records import Round
from aggregator.store import Store
from edge.wire.rounds import MAX_COMPONENTS, Announcement, Component, Mode, Phase


def announcement_of(store: Store, plan: Plan, current: Round, models: Models) -> Announcement:
    """How the round stands now."""
    return Announcement(
        run=store.run(),
        round=current.number,
        phase=current.phase,
        attempt=current.attempt,
        deadline_s=current.deadline_s,
        model=models.everybodys.blob,
        fingerprint=current.fingerprint,
        settings=plan.settings,
        mixture=_mixture(store, plan, current),
        clusters=models.notices,
    )


def _mixture(store: Store, plan: Plan, current: Round) -> tuple[Component, ...]:
    """Of this round; in buffered mode, where rounds overlap, of all that is known."""
    if current.phase is Phase.STATISTICS:
        return ()
    since = current.number if plan.settings.mode is Mode.SYNCHRONOUS else 1
    components = list(store.statistics(since).values())
    largest = sorted(components, key=lambda component: -component.num_segments)
    return tuple(largest[:MAX_COMPONENTS])
