"""``vad-export tfc``: train the temporal part of a word model on action clips."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import torch

from edge.commands.report import answer, progress_bar, say
from edge.domain.boxes import Floats
from edge.errors import ConfigError
from edge.model.words import WordModel, load_words
from export.extract.watch import Viewing
from export.words.clips import ActionClip, Tubes, list_clips, read_all
from export.words.contrast import make_loss
from export.words.course import Plan, train
from export.words.fusion import Fusion, make_fusion
from export.words.fusion_file import Facts, Trained, save_fusion
from export.words.teach import (
    Material,
    accuracy,
    checkpoint_of,
    divide,
    golden_tubes,
    lesson,
    mean_features,
    ways_to_say,
)


def run(options: argparse.Namespace) -> int:
    """Cut and embed the clips, train, say what training has brought on clips held out."""
    if options.out.exists():
        raise ConfigError(f"--out {options.out}: is there already; name another file")
    torch.set_num_threads(1)  # training is quick; embedding, which is not, has its own thread
    model = load_words(options.words)
    training, held_out, names = divide(_clips(options, model))
    texts = ways_to_say(model, names)
    facts = Facts(
        backbone=model.backbone.version,
        width=model.width,
        frames=model.frames,
        layers=options.layers,
        heads=options.heads,
        alpha=options.alpha,
        trained_on=f"{len(training.tubes)} tubes of {len(names)} actions, seed {options.seed}",
    )
    trained = Trained(facts, _train(options, facts, training, texts), golden_tubes(training))
    save_fusion(options.out, trained)
    checkpoint_of(options.out).unlink(missing_ok=True)
    reached = _figures(trained, held_out, texts) if held_out else {}
    figures = {"out": str(options.out), "trained_on": facts.trained_on, "actions": names, **reached}
    text = f"{options.out}: {facts.trained_on}; {_text(reached)}"
    answer(figures, as_json=options.format == "json", text=text)
    return 0


def _clips(options: argparse.Namespace, model: WordModel) -> dict[ActionClip, Floats]:
    viewing = Viewing(options.analysis_hz, options.max_width, options.detector, options.labels)
    work = options.work or options.out.with_name(f"{options.out.name}.work")
    clips, tubes = list_clips(options.clips), Tubes(work, model, viewing)
    with progress_bar("cutting and embedding", len(clips), "clip") as bar:

        def told(reason: str | None) -> None:
            if reason:
                say(reason)
            bar.update()

        return read_all(clips, tubes, told)


def _train(
    options: argparse.Namespace, facts: Facts, training: Material, texts: list[Floats]
) -> Fusion:
    if facts.width % facts.heads:
        raise ConfigError(f"--heads {facts.heads}: does not divide the width {facts.width}")
    fusion = make_fusion(
        facts.width,
        frames=facts.frames,
        layers=facts.layers,
        heads=facts.heads,
        seed=options.seed,
    )
    loss = make_loss(
        fusion,
        lesson(training, texts),
        batch=options.batch,
        alpha=options.alpha,
        sigma=options.sigma,
    )
    plan = Plan(options.steps, options.batch, options.learning_rate, seed=options.seed)
    with progress_bar("training", options.steps, "step") as bar:

        def told(step: int, value: float) -> None:
            bar.set_postfix_str(f"loss {value:.3f}")
            bar.update(step - bar.n)

        task = f"{facts} {options.sigma} {training.tubes.sum()}"
        train(fusion, loss, plan, task=task, checkpoint=checkpoint_of(options.out), told=told)
    return fusion


def _figures(trained: Trained, held_out: Material, texts: list[Floats]) -> dict[str, float | int]:
    """Without the temporal part, and with it."""
    alpha, tubes = trained.facts.alpha, held_out.tubes
    fused = Trained(trained.facts, trained.fusion, tubes).features()
    mean = mean_features(tubes, alpha)
    return {
        "held_out_tubes": len(tubes),
        "accuracy_mean": round(accuracy(mean, held_out.actions, texts), 4),
        "accuracy_tfc": round(accuracy(fused, held_out.actions, texts), 4),
    }


def _text(reached: Mapping[str, float | int]) -> str:
    if not reached:
        return "too few clips to hold any out"
    return (
        f"of {reached['held_out_tubes']} tubes held out, the right action is nearest for "
        f"{reached['accuracy_tfc']:.1%}, without the temporal part for "
        f"{reached['accuracy_mean']:.1%}"
    )
