import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "ultralytics", "open_clip", "sklearn", "matplotlib", "scipy")


def test_import_contracts_hold():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "module",
    [
        "edge.serve",
        "edge.commands.bench",
        "edge.commands.check",
        "edge.commands.demo",
        "edge.commands.evaluate",
        "edge.commands.fit",
        "edge.commands.models",
    ],
)
def test_what_runs_on_a_camera_host_loads_nothing_heavy(module: str):
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def calls(path: Path) -> set[str]:
    """Names of the functions that a module calls, as far as they are plain names."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {n.func.id for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}


def test_only_commands_print():
    """The standard output of a live process is a stream of events that programs read."""
    talkers = {"edge/terminal.py", "edge/commands/report.py"}
    modules = sorted((ROOT / "edge").rglob("*.py"))
    printing = {str(path.relative_to(ROOT)) for path in modules if "print" in calls(path)}
    assert printing == talkers


def test_only_what_the_operator_runs_reads_the_environment():
    reading = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "edge").rglob("*.py")
        if re.search(r"\bos\.(environ|getenv)\b", path.read_text())
    }
    assert reading == {"edge/config.py"}
