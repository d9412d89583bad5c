"""How a command of any program meets the terminal: its help, its log, its errors, its exit code."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from typing import TypeAlias

from edge.errors import MISCONFIGURED, ConfigError, VadError

FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130
"""Exit codes of all programs; each lists them in its ``--help``."""

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def subcommand(
    commands: Commands, name: str, purpose: str, exit_codes: str, *, more: str = ""
) -> argparse.ArgumentParser:
    """Declare a command whose help ends with ``exit_codes``; ``more``: what it says besides."""
    return commands.add_parser(
        name,
        help=purpose,
        description="\n\n".join(filter(None, (purpose, more))),
        epilog=exit_codes,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def carry_out(program: str, options: argparse.Namespace) -> int:
    """Run the module ``options.module``; returns the exit code of what became of it.

    The log goes to the standard error: the standard output is what the command has to say.
    """
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        # imported late: --help and a typo answer without loading FFmpeg and OpenCV
        return int(importlib.import_module(options.module).run(options))
    except ConfigError as error:  # says itself where it was found
        print(error, file=sys.stderr)
        return WRONG_INPUT
    except VadError as error:
        print(f"{program} {options.command}: {error}", file=sys.stderr)
        return WRONG_INPUT if isinstance(error, MISCONFIGURED) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
