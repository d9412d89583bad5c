"""``vad-edge learn``: train this host's student, alone or with others.

Everything that needs torch is behind ``edge.learn`` and ``edge.member``, which are loaded by name:
the commands of a camera host work without it.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import threading
from dataclasses import asdict
from types import ModuleType
from typing import Any

from edge.commands.report import answer, progress_bar, say
from edge.compose import learning_path
from edge.config import EdgeConfig, load_config
from edge.errors import ConfigError
from edge.lock import sole_user
from edge.signals import stop_on_signals

REFUSED, INTERRUPTED = 4, 130
OURS = "edge"  # a package that is missing in here is our own fault


def run(options: argparse.Namespace) -> int:
    """Train, try, adopt; or make a federation's first model."""
    if options.initial is not None:
        return _first_model(options)
    stop = stop_on_signals()
    if options.until_eof:
        threading.Thread(target=_stop_at_eof, args=(stop,), name="parent", daemon=True).start()
    config = load_config(options.config)
    with sole_user(learning_path(config), otherwise="wait until it has trained"):
        learning = _load("edge.learn")
        learning.prepare()
        if config.federation is None:
            return _learn_alone(learning, config, stop, options)
        _load("edge.member").take_part(
            config,
            config.federation,
            stop=stop,
            on_report=lambda report: _tell(report, options),
        )
    return 0


def _learn_alone(
    learning: ModuleType, config: EdgeConfig, stop: threading.Event, options: argparse.Namespace
) -> int:
    with progress_bar("learning", 1.0, "") as bar:

        def show(share: float, loss: float) -> None:
            bar.set_description_str(f"learning, loss {loss:.3g}", refresh=False)
            bar.update(share - bar.n)

        report = learning.learn_alone(config, stop=stop, on_progress=show)
    if report is None:
        say("stopped; the next vad-edge learn goes on from here")
        return INTERRUPTED
    _tell(report, options)
    return 0 if report.adopted else REFUSED


def _first_model(options: argparse.Namespace) -> int:
    made = _load("edge.learn").first_model(options.initial, options.head, hidden=options.hidden)
    text = f"{made['head']} student of {made['parameters']} parameters in {made['path']}"
    answer(made, as_json=options.format == "json", text=text)
    return 0


def _tell(report: Any, options: argparse.Namespace) -> None:
    answer(asdict(report), as_json=options.format == "json", text=report.text)
    sys.stdout.flush()  # a participant goes on for days


def _load(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package == OURS:
            raise
        if isinstance(error, ModuleNotFoundError):
            problem = f"{package}, which is not installed"
        else:  # what was installed lacks a part, or is of another processor or Python
            problem = f"packages that cannot be loaded here ({error})"
        raise ConfigError(
            f"vad-edge learn needs {problem}: pip install 'vad-edge[learn]'"
        ) from None


def _stop_at_eof(stop: threading.Event) -> None:
    """Whoever started this process is gone, or asks it to go."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    stop.set()
