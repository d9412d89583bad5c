"""FedVAD's experiments on generated streets and on ShanghaiTech's tracks: tables and pictures.

    python -m tests.benchmarks.fedvad --out DIR [--tracks FOLDER] [--only NAME] [--seeds 5]

Writes ``DIR/NAME.json`` for each experiment, as ``vad-aggregator simulate --format json`` says it,
and the curves of the paper's Figs. 5 and 6 as pictures. What is there already is kept, so that an
interrupted run goes on. *kinds* stands for FVCC with as many clusters as streets have kinds, which
an operator may know; otherwise their number is found by silhouette.
"""

import argparse
import contextlib
import io
from pathlib import Path

from aggregator.cli import main as vad_aggregator

NORMAL = ["--dataset", "streets", "--setting", "normal"]
WEAK = ["--dataset", "streets", "--setting", "partial", "--labelled-share", "1"]
KINDS = ["--option", "fvcc.num_clusters=3"]
BASELINES = "local,centralised,fedavg,fedprox,fedadam,fedrep,fedala,fedpac"
OURS = "fvcc,fvcc+tuned,fvcc+ased,fvcc+ased+tuned"
ABLATION = "fedavg,fedavg+vd,fvcc,fvcc+vd,fvcc+ased"

STREETS = {
    "normal-baselines": [*NORMAL, "--methods", f"{BASELINES},fedbn"],
    "normal": [*NORMAL, "--methods", OURS],
    "normal-kinds": [*NORMAL, "--methods", OURS, *KINDS],
    "weak-baselines": [*WEAK, "--methods", BASELINES],
    "weak": [*WEAK, "--methods", OURS],
    "weak-kinds": [*WEAK, "--methods", OURS, *KINDS],
    "normal-private": [*NORMAL, "--methods", "fedavg,fvcc,fvcc+ased", *KINDS, "--epsilon", "8"],
    "weak-private": [*WEAK, "--methods", "fedavg,fvcc,fvcc+ased", *KINDS, "--epsilon", "8"],
    # Table 3a
    "normal-ablation": [*NORMAL, "--methods", ABLATION, *KINDS],
    "weak-ablation": [*WEAK, "--methods", ABLATION, *KINDS],
    # Fig. 5: local epochs, with as many epochs in all; Fig. 6b: clusters
    "epochs": [*NORMAL, "--methods", "fedavg,fvcc", *KINDS, "--sweep", "local-epochs=1,2,5,10"],
    "clusters": [*NORMAL, "--methods", "fvcc", "--sweep", "fvcc.num_clusters=1,2,3,4,5"],
}


def tracks(folder: Path) -> dict[str, list[str]]:
    """13 cameras, and the paper's own seven clients with its public set."""
    always = ["--dataset", "shanghaitech-tracks", "--root", str(folder), "--setting", "normal"]
    clients = ["--participants", str(folder / "fedvad_clients.json"), "--public", "0"]
    within = ["--option", "fvcc.within=fedbn"]
    return {
        "cameras": [*always, "--methods", "fedavg,fvcc,fvcc+tuned"],
        "cameras-fedbn": [*always, "--methods", "fvcc,fvcc+tuned", *within],
        "clients": [*always, *clients, "--methods", ABLATION],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tracks", type=Path, help="of ShanghaiTech")
    parser.add_argument("--only", action="append", help="an experiment's name")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    experiments = STREETS | (tracks(options.tracks) if options.tracks else {})
    for name in options.only or experiments:
        path = options.out / f"{name}.json"
        if path.exists():
            continue
        few = ["--seeds", str(options.seeds), "--judge-every", "10", "--format", "json"]
        plot = ["--plot", str(options.out)] if "--sweep" in experiments[name] else []
        asked = ["simulate", *experiments[name], *few, *plot]
        print(f"{name}: vad-aggregator {' '.join(asked)}", flush=True)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = vad_aggregator(asked)
        if code:
            raise SystemExit(code)
        path.write_text(said.getvalue())


if __name__ == "__main__":
    main()
