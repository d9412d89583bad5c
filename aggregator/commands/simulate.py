"""``vad-aggregator simulate``: how well a federation would learn, on footage in one place."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import ConfigError
from edge.terminal import Commands, subcommand

if TYPE_CHECKING:
    from aggregator.simulate.study import Study
    from aggregator.simulate.table import Row

PURPOSE = "train local, collaborative and centralised students on a data set and compare them"
METHODS = "local,fedavg,fedprox,scaffold,fedadam,centralised"
METHODS_NORMAL = METHODS.replace(",centralised", ",fedbn,centralised")
"""FedBN keeps normalisation layers at home: of the students only the one for density has any."""

METHODS_HELP = (
    "local, centralised and strategies; NAME+ased distils from public videos and their captions, "
    "NAME+vd without captions; NAME+tuned judges each participant's model after one more local "
    f"epoch, as hosts use it; default {METHODS}, with normal fedbn too"
)
BACKENDS = ("inline", "processes", "ray", "broker")
BACKENDS_HELP = "broker: participants and aggregator are processes that meet at a private mosquitto"
OPTION_HELP = "of a strategy, or of the distillation as ased.threshold=0.9"
SHARES = "0,0.25,1"
SWEEP_HELP = "a table for each value: local-epochs=1,2,5 (as many epochs in all), fvcc.alpha=0,1"


def add_simulate(commands: Commands, exit_codes: str) -> argparse.ArgumentParser:
    """Declare the command; its help ends with ``exit_codes``."""
    parser = subcommand(commands, "simulate", PURPOSE, exit_codes)
    add = parser.add_argument
    add("--dataset", choices=("shanghaitech-tracks", "features", "streets"), required=True)
    add("--root", type=Path, help="its folder; streets are generated")
    add("--setting", choices=("normal", "unlabelled", "partial"), required=True)
    add("--methods", metavar="M,M", help=METHODS_HELP)
    add("--option", action="append", default=[], metavar="METHOD.NAME=VALUE", help=OPTION_HELP)
    add("--seeds", type=_count, default=5, metavar="N", help="0 to N - 1; default 5")
    add("--rounds", type=_count, help="default: the recipe's")
    add("--judge-every", type=_count, default=1, metavar="N", help="rounds; the last one always")
    add("--local-epochs", type=_count, help="in a round; default: the recipe's")
    add("--participants", metavar="N|FILE[:KEY]", help="a random deal, or who owns which clip")
    add("--public", metavar="NAME", help="of the participant whose clips the aggregator has")
    add("--labelled-share", metavar="S,S", help=f"of participants, for partial; default {SHARES}")
    add("--epsilon", type=float, help="privacy budget of a participant over all rounds")
    add("--delta", type=float, default=1e-5, help="of the privacy budget; default 1e-5")
    add("--clip-norm", type=float, help="longest delta; default 1 with --epsilon, else no limit")
    add("--compression", choices=("fp32", "int8", "int4", "sparse"), default="fp32")
    add("--secure", action="store_true", help="the aggregator sees the sum alone")
    add("--poison", metavar="KIND:SHARE", help="sign-flip, scale, noise or nan, as nan:0.2")
    add("--backend", choices=BACKENDS, default="inline", help=BACKENDS_HELP)
    add("--sweep", metavar="NAME=V,V", help=SWEEP_HELP)
    add("--plot", type=Path, metavar="DIR", help="draw AUC by round, or by what is swept")
    add("--format", choices=("text", "json"), default="text")
    return parser


def run(options: argparse.Namespace) -> int:
    """Do all runs and print the table; raises VadError."""
    try:  # imported late: the rest of the command line works where torch is not installed
        from aggregator.simulate.plot import write_plots, write_sweep
        from aggregator.simulate.study import read_for, run_study
        from aggregator.simulate.sweep import Sweep
        from aggregator.simulate.table import as_text
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"simulate trains, and {error.name} is not installed: pip install 'vad-edge[learn]'"
        ) from error
    study = _study(options)
    sweep = Sweep.parse(options.sweep) if options.sweep else None
    studies = sweep.studies(study) if sweep else [study]
    scenario = read_for(studies)
    tables = [run_study(each, scenario) for each in studies]
    if options.plot and sweep:
        write_sweep(options.plot, study.dataset, sweep.name, sweep.values, tables)
    elif options.plot:
        write_plots(options.plot, study.dataset, tables[0])
    named = [f"{sweep.name}={value}" for value in sweep.values] if sweep else [""]
    if options.format == "json":
        answers = [
            _answer(each, rows, scenario.left_out)
            for each, rows in zip(studies, tables, strict=True)
        ]
        swept = {"sweep": dict(zip(named, answers, strict=True))}
        print(json.dumps(swept if sweep else answers[0], allow_nan=False))
        return 0
    for name, rows in zip(named, tables, strict=True):
        print(f"{name}\n" * bool(name) + as_text(study.dataset, rows, scenario.left_out))
    return 0


def _answer(study: Study, rows: Sequence[Row], left_out: Sequence[str]) -> dict[str, Any]:
    poison = study.poison and f"{study.poison.kind}:{study.poison.share:g}"
    return {
        "dataset": study.dataset,
        "setting": study.setting,
        "seeds": study.seeds,
        "rounds": study.recipe.rounds,
        "local_epochs": study.recipe.plan.epochs,
        "compression": study.compression,
        "epsilon": study.epsilon,
        "noise_multiplier": study.terms.noise_multiplier,
        "secure": study.secure,
        "poison": poison,
        "options": study.told_options(),
        "left_out": list(left_out),
        "rows": [row.as_json() for row in rows],
    }


def _study(options: argparse.Namespace) -> Study:
    from aggregator.simulate.poison import Poison
    from aggregator.simulate.study import Study

    methods = options.methods or (METHODS_NORMAL if options.setting == "normal" else METHODS)
    shares = options.labelled_share or (SHARES if options.setting == "partial" else "0")
    return Study(
        dataset=options.dataset,
        root=options.root,
        setting=options.setting,
        methods=tuple(dict.fromkeys(m.strip() for m in methods.split(",") if m.strip())),
        seeds=options.seeds,
        rounds=options.rounds,
        local_epochs=options.local_epochs,
        participants=options.participants,
        public=options.public,
        labelled_shares=_shares(shares),
        compression=options.compression,
        epsilon=options.epsilon,
        delta=options.delta,
        clip_norm=options.clip_norm,
        secure=options.secure,
        poison=Poison.parse(options.poison) if options.poison else None,
        options=_strategy_options(options.option),
        backend=options.backend,
        judge_every=options.judge_every,
    )


def _shares(text: str) -> tuple[float, ...]:
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError:
        shares = (-1.0,)
    if not all(0 <= share <= 1 for share in shares):
        raise ConfigError(f"--labelled-share {text}: expected shares from 0 to 1, as {SHARES}")
    return shares


def _strategy_options(written: list[str]) -> Mapping[str, Mapping[str, Any]]:
    options: dict[str, dict[str, Any]] = {}
    for each in written:
        place, equals, value = each.partition("=")
        method, dot, name = place.partition(".")
        if not (equals and dot and method and name):
            raise ConfigError(f"--option {each}: expected METHOD.NAME=VALUE, as fedprox.mu=0.1")
        try:
            options.setdefault(method, {})[name] = json.loads(value)
        except ValueError:
            options.setdefault(method, {})[name] = value  # a word
    return options


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least 1")
    return number
