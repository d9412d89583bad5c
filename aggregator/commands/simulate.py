"""``vad-aggregator simulate``: how well a federation would learn, on footage in one place."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import ConfigError

if TYPE_CHECKING:
    from aggregator.simulate.study import Study

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

PURPOSE = "train local, collaborative and centralised students on a data set and compare them"
METHODS = "local,fedavg,fedprox,scaffold,fedadam,centralised"
METHODS_NORMAL = METHODS.replace(",centralised", ",fedbn,centralised")
"""FedBN keeps normalisation layers at home: of the students only the one for density has any."""

METHODS_HELP = (
    "local, centralised and strategies; NAME+tuned judges each participant's model after one more "
    f"local epoch, as hosts use it; default {METHODS}, with normal fedbn too"
)
BACKENDS = ("inline", "processes", "ray", "broker")
BACKENDS_HELP = "broker: participants and aggregator are processes that meet at a private mosquitto"
SHARES = "0,0.25,1"


def add_simulate(subparsers: Commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = subparsers.add_parser("simulate", help=PURPOSE, description=PURPOSE)
    add = parser.add_argument
    add("--dataset", choices=("shanghaitech-tracks", "features"), required=True)
    add("--root", type=Path, required=True, help="its folder")
    add("--setting", choices=("normal", "unlabelled", "partial"), required=True)
    add("--methods", metavar="M,M", help=METHODS_HELP)
    add("--option", action="append", default=[], metavar="METHOD.NAME=VALUE", help="of a strategy")
    add("--seeds", type=_count, default=5, metavar="N", help="0 to N - 1; default 5")
    add("--rounds", type=_count, help="default: the recipe's")
    add("--local-epochs", type=_count, help="in a round; default: the recipe's")
    add("--participants", metavar="N|FILE[:KEY]", help="a random deal, or who owns which clip")
    add("--labelled-share", metavar="S,S", help=f"of participants, for partial; default {SHARES}")
    add("--epsilon", type=float, help="privacy budget of a participant over all rounds")
    add("--delta", type=float, default=1e-5, help="of the privacy budget; default 1e-5")
    add("--clip-norm", type=float, help="longest delta; default 1 with --epsilon, else no limit")
    add("--compression", choices=("fp32", "int8", "int4", "sparse"), default="fp32")
    add("--secure", action="store_true", help="the aggregator sees the sum alone")
    add("--poison", metavar="KIND:SHARE", help="sign-flip, scale, noise or nan, as nan:0.2")
    add("--backend", choices=BACKENDS, default="inline", help=BACKENDS_HELP)
    add("--plot", type=Path, metavar="DIR", help="draw AUC by round")
    add("--format", choices=("text", "json"), default="text")
    return parser


def run(options: argparse.Namespace) -> int:
    """Do all runs and print the table; raises VadError."""
    try:  # imported late: the rest of the command line works where torch is not installed
        from aggregator.simulate.plot import write_plots
        from aggregator.simulate.study import run_study
        from aggregator.simulate.table import as_text
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"simulate trains, and {error.name} is not installed: pip install 'vad-edge[learn]'"
        ) from error
    study = _study(options)
    rows, left_out = run_study(study)
    if options.plot:
        write_plots(options.plot, study.dataset, rows)
    answer = {
        "dataset": study.dataset,
        "setting": study.setting,
        "seeds": study.seeds,
        "rounds": study.recipe.rounds,
        "local_epochs": study.recipe.plan.epochs,
        "compression": study.compression,
        "epsilon": study.epsilon,
        "noise_multiplier": study.terms.noise_multiplier,
        "secure": study.secure,
        "poison": options.poison,
        "left_out": list(left_out),
        "rows": [row.as_json() for row in rows],
    }
    text = as_text(study.dataset, rows, left_out)
    print(json.dumps(answer, allow_nan=False) if options.format == "json" else text)
    return 0


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
        labelled_shares=_shares(shares),
        compression=options.compression,
        epsilon=options.epsilon,
        delta=options.delta,
        clip_norm=options.clip_norm,
        secure=options.secure,
        poison=Poison.parse(options.poison) if options.poison else None,
        options=_strategy_options(options.option),
        backend=options.backend,
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
        method, dot, name = place.rpartition(".")
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
