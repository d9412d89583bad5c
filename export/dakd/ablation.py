"""The rows of the paper's tables 1, 4 and 5, or the method alone, with several seeds each.

Where the paper does not say what a row is, this is what is meant by it here:

* *method*: complete, and nothing else;
* *modules* (Table 1): another network in the place of the temporal aggregation module, in the
  teacher and in the student;
* *losses* (Table 4): the baseline has neither a temporal part nor a teacher, "without TAM" has a
  teacher, and neither of the two a temporal part. Without the distilled predictions the scores
  learn from video labels, as the teacher's do;
* *smoothing* (Table 4): without the min-max scaling, the moving average, and either;
* *attention* (Table 5): one component left out, in the teacher and, where it has it, the student;
  and one component alone, where a student that would be left with none keeps its own content.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.model.tam import COMPONENTS, Component
from export.dakd.features import FeatureSet
from export.dakd.judge import Figures, judge
from export.dakd.network import NetworkSpec
from export.dakd.options import UNDISTILLED, DistilOptions, Table, TeacherOptions
from export.dakd.teach import Teaching, teaching_of, train_student, train_teacher
from export.dakd.temporal import TEMPORAL, TemporalName

COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; without a teacher where ``options`` need none."""

    table: Table
    name: str
    teacher: NetworkSpec
    student: NetworkSpec
    options: DistilOptions


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row that was trained with one seed."""

    row: Row
    seed: int
    teacher: Figures | None
    student: Figures


def make_rows(
    tables: Sequence[Table], teacher: NetworkSpec, student: NetworkSpec, options: DistilOptions
) -> list[Row]:
    """All rows of some tables, each changed in one thing from the complete method given."""
    rows = []
    for table in tables:
        complete = Row(table, COMPLETE, teacher, student, options)
        rows += [*MAKERS[table](complete), complete]
    return rows


class Ablation:
    """Trains what rows ask for; what several rows ask for is trained once."""

    def __init__(self, features: FeatureSet, backbone: str, *, window: int) -> None:
        """The student sees ``backbone``; live it sees the last ``window`` segments."""
        self.features, self.own, self.window = features, features.of(backbone), window
        self._teachers: dict[tuple[object, ...], tuple[Teaching, Figures]] = {}
        self._students: dict[tuple[object, ...], Figures] = {}

    def outcomes(self, rows: Sequence[Row], seeds: Sequence[int]) -> Iterator[Outcome]:
        """Train row after row, one outcome for each seed."""
        for row in rows:
            for seed in seeds:
                teaching, figures = self._teacher(row, seed)
                yield Outcome(row, seed, figures, self._student(row, seed, teaching))

    def _teacher(self, row: Row, seed: int) -> tuple[Teaching | None, Figures | None]:
        if not row.options.needs_teacher:
            return None, None
        options = _course(row.options)
        key = (row.teacher, options, seed)
        if key not in self._teachers:
            taught = train_teacher(row.teacher, self.features, options, seed=seed)
            teaching = teaching_of(taught.network, self.features, segments=options.segments)
            figures = judge(taught.network, self.features, window=self.window)
            self._teachers[key] = (teaching, figures)
        return self._teachers[key]

    def _student(self, row: Row, seed: int, teaching: Teaching | None) -> Figures:
        key = (row.teacher if teaching else None, row.student, row.options, seed)
        if key not in self._students:
            taught = train_student(row.student, self.own, row.options, teaching, seed=seed)
            self._students[key] = judge(taught.network, self.own, window=self.window)
        return self._students[key]


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean over the seeds, and the standard deviation of a sample; 0 of a single one."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _course(options: DistilOptions) -> TeacherOptions:
    """The constants that both stages share."""
    shared = {name: getattr(options, name) for name in TeacherOptions.__dataclass_fields__}
    return TeacherOptions(**shared)


def _modules(complete: Row) -> Iterator[Row]:
    names: list[TemporalName] = [name for name in TEMPORAL if name != "none"]
    for name in names:
        yield _with_temporal(complete, name, name)


def _losses(complete: Row) -> Iterator[Row]:
    options = complete.options
    alone = replace(options, predictions=UNDISTILLED.predictions, alpha=UNDISTILLED.alpha)
    yield _with_temporal(replace(complete, options=alone), "baseline", "none")
    yield replace(complete, name="undistilled", options=alone)
    yield _with_temporal(complete, "without TAM", "none")
    yield replace(complete, name="without L_nce", options=replace(options, alpha=0.0))
    from_labels = replace(options, predictions="video-labels")
    yield replace(complete, name="without L_bce", options=from_labels)


def _smoothing(complete: Row) -> Iterator[Row]:
    options = complete.options
    even, rough = replace(options, min_max=False), replace(options, epsilon=0)
    yield replace(complete, name="without min-max", options=even)
    yield replace(complete, name="without moving average", options=rough)
    yield replace(complete, name="without either", options=replace(even, epsilon=0))


def _attention(complete: Row) -> Iterator[Row]:
    for component in COMPONENTS:
        rest = tuple(each for each in COMPONENTS if each != component)
        yield _with_components(complete, f"without {component}", rest)
    for component in COMPONENTS:
        yield _with_components(complete, f"{component} alone", (component,))


MAKERS = {
    "method": lambda _complete: iter(()),
    "modules": _modules,
    "losses": _losses,
    "smoothing": _smoothing,
    "attention": _attention,
}


def _with_temporal(row: Row, name: str, temporal: TemporalName) -> Row:
    teacher, student = (replace(spec, temporal=temporal) for spec in (row.teacher, row.student))
    return replace(row, name=name, teacher=teacher, student=student)


def _with_components(row: Row, name: str, components: tuple[Component, ...]) -> Row:
    """A student of one backbone has no cross term, whether it is left out or not."""
    own: tuple[Component, ...] = tuple(each for each in components if each != "cross")
    teacher = replace(row.teacher, components=components)
    student = replace(row.student, components=own or ("self",))
    return replace(row, name=name, teacher=teacher, student=student)
