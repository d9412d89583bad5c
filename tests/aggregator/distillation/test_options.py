from dataclasses import replace

import pytest

from aggregator.distillation.options import Ased, TeacherOptions, changed
from edge.errors import ConfigError

BASE = Ased(steps=7, teacher=TeacherOptions(width=32))


def test_what_is_not_changed_stays():
    assert changed(BASE, {}) == BASE
    assert changed(BASE, {"threshold": 0.9}) == replace(BASE, threshold=0.9)


def test_a_teacher_can_be_changed_in_parts():
    teacher = changed(BASE, {"teacher": {"epochs": 3}}).teacher
    assert (teacher.epochs, teacher.width) == (3, 32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"treshold": 0.9}, "option treshold: Unexpected"),
        ({"alpha": float("inf")}, "option alpha: .* finite"),
        ({"teacher": {"epoch": 3}}, "option teacher.epoch: Unexpected"),
        ({"steps": "few"}, "option steps: .* integer"),
        ({"steps": 0}, "at least 1"),
        ({"teacher": {"heads": 5}}, "heads must divide width"),
        ({"teacher": 3}, "option teacher"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        changed(BASE, changes)
