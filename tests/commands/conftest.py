"""A command as a shell would see it."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.cli import main

STREET = "synthetic:precinct?seed=3&duration={seconds}&fps=5&size=320x180"


@dataclass(frozen=True)
class Shell:
    """Runs commands and shows what they printed."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def config(self, text: str) -> Path:
        path = self.folder / "edge.yaml"
        path.write_text(text)
        return path

    def street(self, seconds: float = 60, **sections: str) -> Path:
        """A configuration with one synthetic camera and no broker."""
        more = "".join(f"{name}: {value}\n" for name, value in sections.items())
        return self.config(
            "host: h\nmqtt: {enabled: false}\n"
            f"{more}cameras:\n  street:\n    source: {STREET.format(seconds=seconds)}\n"
        )

    def run(self, *arguments: object) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self.capture.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = self.capture.readouterr()
        return code, out, err

    def json(self, *arguments: object) -> tuple[int, dict]:
        """Exit code and the one JSON object that is all of the standard output."""
        code, out, _ = self.run(*arguments, "--format", "json")
        return code, json.loads(out)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)
