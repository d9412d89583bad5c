"""What several commands are given, and how they take it."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.errors import ConfigError
from export.extract.watch import Viewing


def refuse_existing(out: Path) -> None:
    """Before hours of work, not after; raises ConfigError."""
    if out.exists():
        raise ConfigError(f"--out {out}: is there already; name another, or delete it")


def viewing(options: argparse.Namespace) -> Viewing:
    """How footage is looked at; raises ConfigError for labels of nothing."""
    return Viewing(options.analysis_hz, options.max_width, options.detector, options.labels)
