"""``python -m aggregator.simulate``: the command by itself."""

import argparse
import sys

from aggregator.commands.simulate import add_simulate, run_simulate
from edge.errors import VadError

parser = argparse.ArgumentParser(prog="vad-aggregator")
add_simulate(parser.add_subparsers(dest="command", required=True))
try:
    sys.exit(run_simulate(parser.parse_args(["simulate", *sys.argv[1:]])))
except VadError as error:
    sys.exit(str(error))
