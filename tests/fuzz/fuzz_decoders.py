"""Coverage-guided fuzzing of every decoder; fails on anything but a value or a refusal.

    python tests/fuzz/fuzz_decoders.py --runs 10000 [--only weights]

Runs that many inputs at each decoder of ``tests/fuzz/decoders.py``, in a process of its own, and
prints how many were tried. Needs atheris (``pip install atheris``), which the test suite does not.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

with atheris.instrument_imports(include=["edge"]):
    from edge.errors import MalformedMessageError
    from tests.fuzz.decoders import DECODERS, Decoder

LONGEST_BYTES = 4096


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="inputs for each decoder")
    parser.add_argument("--only", help="the name of one decoder")
    parser.add_argument("--corpus", type=Path, help=argparse.SUPPRESS)  # we are the child
    options = parser.parse_args()
    chosen = [d for d in DECODERS if options.only in (None, d.name)]
    if options.corpus:
        fuzz(chosen[0], options.corpus, options.runs)  # does not return
    tried = [apart(decoder, options.runs) for decoder in chosen]
    inputs, broken = sum(filter(None, tried)), tried.count(None)
    print(f"{inputs:10d}  inputs at {len(tried)} decoders, {broken} broke")
    return 1 if None in tried or not tried else 0


def apart(decoder: Decoder, runs: int) -> int | None:
    """Fuzz in a child: libFuzzer ends its process. The count of inputs; None: it broke."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder)
        (corpus / "seed").write_bytes(decoder.seed)
        command = [sys.executable, __file__, "--only", decoder.name, "--runs", str(runs)]
        done = subprocess.run(
            [*command, "--corpus", folder], capture_output=True, text=True, check=False
        )
    counted = re.search(r"Done (\d+) runs in (\d+) second", done.stderr)
    if done.returncode or not counted:
        print(f"{decoder.name}: BROKE\n{done.stdout}{done.stderr}")
        return None
    print(f"{int(counted[1]):10d}  {decoder.name}, {counted[2]} s", flush=True)
    return int(counted[1])


def fuzz(decoder: Decoder, corpus: Path, runs: int) -> None:
    def try_one(payload: bytes) -> None:
        with suppress(MalformedMessageError):
            decoder.decode(payload)

    arguments = [sys.argv[0], f"-runs={runs}", f"-max_len={LONGEST_BYTES}", "-seed=7"]
    atheris.Setup([*arguments, f"-artifact_prefix={corpus}/", str(corpus)], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
