"""How the participants of a round train: the announcement's settings, checked and typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edge.errors import ModelError, TrainingError
from edge.model.spec import StudentSpec
from edge.training.plan import LocalPlan
from edge.wire.rounds import Settings

_CONTROL_VARIATES = "control_variates"  # of a rule; its other fields are those of a plan
_PLAN = TypeAdapter(LocalPlan)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is trained, from which features, and how."""

    spec: StudentSpec
    spec_versions: tuple[str, ...]  # of the groups whose values are the student's inputs
    plan: LocalPlan
    control_variates: bool = False  # SCAFFOLD


def terms_of(settings: Settings) -> Terms:
    """Raises TrainingError where a round asks for what this program does not know."""
    rule = dict(settings.rule)
    control_variates = bool(rule.pop(_CONTROL_VARIATES, False))
    try:
        spec = StudentSpec.from_json(settings.student)
    except ModelError as error:
        raise TrainingError(f"the round trains a network that is not known here: {error}") from None
    return Terms(spec, settings.spec_versions, _plan({**settings.plan, **rule}), control_variates)


def _plan(asked: Mapping[str, Any]) -> LocalPlan:
    unknown = sorted(asked.keys() - {field.name for field in fields(LocalPlan)})
    if unknown:
        raise TrainingError(f"the round asks for {', '.join(unknown)}: update vad-edge")
    try:
        return _PLAN.validate_python(asked)
    except ValidationError as error:
        mistake = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, mistake["loc"]))
        raise TrainingError(f"the round's plan: {place}: {mistake['msg']}") from None
