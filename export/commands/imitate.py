"""``vad-export imitate``: a small backbone that gives a large one's embeddings."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from edge.commands.report import answer, progress_bar, say
from edge.errors import ModelError
from edge.model.backbone import (
    FILES,
    FORMAT,
    WEIGHTS,
    Backbone,
    BackboneSpec,
    load_backbone,
    save_backbone,
)
from edge.model.folder import read_manifest
from export.backbones.original import digest
from export.commands.given import refuse_existing, viewing
from export.extract.videos import list_videos
from export.imitate.fidelity import Fidelity
from export.imitate.finish import make_golden, make_graph, measure
from export.imitate.lessons import Lesson
from export.imitate.network import Imitator, described, make_imitator
from export.imitate.study import study
from export.imitate.train import Apprenticeship, Plan


def run(options: argparse.Namespace) -> int:
    """Ask the teacher, train, export, measure what was exported."""
    refuse_existing(options.out)
    teacher = load_backbone(options.teacher)
    if teacher.frames != 1:
        raise ModelError(f"{options.teacher}: a network of clips; only pictures can be imitated")
    work = options.work or options.out.with_name(f"{options.out.name}.work")
    learnt, judged = _study(options, teacher, work)
    imitator = _beginner(options, learnt)
    spec = _spec(options, imitator, teacher.spec)
    _train(options, imitator, spec, learnt, work / "training.safetensors")
    graph = make_graph(imitator, spec, learnt)
    reached = measure(graph, spec, judged, learnt.embeddings.mean(axis=0))
    provenance = _provenance(options, teacher, len(learnt), reached)
    provenance[WEIGHTS] = digest(imitator)
    saved = save_backbone(
        options.out,
        spec,
        graph,
        make_golden(imitator, spec, judged),
        licences=_licences(options, imitator),
        provenance=provenance,
    )
    figures = {"out": str(options.out), "version": saved.version, **provenance}
    answer(figures, as_json=options.format == "json", text=_text(options.out, reached))
    return 0


def _study(options: argparse.Namespace, teacher: Backbone, work: Path) -> tuple[Lesson, Lesson]:
    clips = [video for video in list_videos(options.footage).clips if video.split == "train"]
    return study(
        teacher,
        clips,
        work,
        view=options.view,
        viewing=viewing(options),
        pictures=options.pictures,
        seed=options.seed,
    )


def _beginner(options: argparse.Namespace, lesson: Lesson) -> Imitator:
    """The network as it is before it learns."""
    if options.pretrained is None:
        say(f"{options.student} begins with random weights; --pretrained names better ones")
    return make_imitator(
        options.student,
        pretrained=options.pretrained,
        size_px=options.size_px,
        mean=lesson.embeddings.mean(axis=0),
        spread=lesson.embeddings.std(axis=0),
        seed=options.seed,
    )


def _spec(options: argparse.Namespace, imitator: Imitator, teacher: BackboneSpec) -> BackboneSpec:
    colours = described(imitator)
    return BackboneSpec(
        name=f"{options.student}~{teacher.name}",
        width=teacher.width,
        size_px=(options.size_px, options.size_px),
        mean=tuple(colours["mean"]),
        std=tuple(colours["std"]),
        resize=teacher.resize,  # it must see what the teacher sees
        precision=options.precision,
    )


def _train(
    options: argparse.Namespace,
    imitator: Imitator,
    spec: BackboneSpec,
    lesson: Lesson,
    checkpoint: Path,
) -> None:
    plan = Plan(epochs=options.epochs, seed=options.seed)
    course = Apprenticeship(imitator, spec, lesson, plan)
    with progress_bar("imitating", plan.epochs, "epoch") as bar:

        def on_epoch(loss: float) -> None:
            bar.set_description(f"imitating, loss {loss:.3f}")
            bar.update(course.epoch - bar.n)

        course.run(checkpoint, on_epoch=on_epoch)


def _provenance(
    options: argparse.Namespace, teacher: Backbone, pictures: int, reached: Fidelity
) -> dict[str, str | int | float]:
    return {
        "teacher": teacher.spec.name,
        "teacher_version": teacher.version,
        "student": options.student,
        "pretrained": options.pretrained or "random weights",
        "view": options.view,
        "pictures": pictures,
        "epochs": options.epochs,
        "seed": options.seed,
        **{f"held_out_{name}": value for name, value in asdict(reached).items()},
    }


def _licences(options: argparse.Namespace, imitator: Imitator) -> list[str]:
    """Of the network, of the weights that it began with, of the teacher."""
    weights = "random weights"
    if options.pretrained is not None:
        weights = f"weights {options.pretrained}, {described(imitator).get('license', 'unknown')}"
    teacher = read_manifest(options.teacher, FORMAT, FILES).get("licences", [])
    own = f"{options.student}: network of timm, Apache-2.0; {weights}"
    return [own, *(f"teacher: {each}" for each in teacher)]


def _text(out: Path, reached: Fidelity) -> str:
    return (
        f"{out}: on held-out clips a cosine of {reached.cosine:.4f} with the teacher (its mean "
        f"embedding: {reached.cosine_of_mean:.4f}), {100 * reached.explained:.1f} % of the variance"
    )
