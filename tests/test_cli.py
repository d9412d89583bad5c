import subprocess
import sys
from pathlib import Path

import pytest

from edge.cli import main
from edge.errors import ConfigError, ModelError, SourceUnusableError, StorageError

COMMANDS = ("run", "demo", "check", "fit", "models", "guide", "eval", "bench")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_documents_its_exit_codes(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert "exit codes" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_wrong_configuration_exits_with_2_and_names_the_line(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    config = tmp_path / "edge.yaml"
    config.write_text("host: h\ncamera: {}\n")
    assert main([command, "-c", str(config)]) == 2
    assert "edge.yaml:2: camera: no such setting" in capsys.readouterr().err


def test_help_answers_without_loading_video_libraries():
    code = "import sys, edge.cli; print('cv2' in sys.modules or 'av' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("edge.yaml:3: mend this"), 2, "edge.yaml:3: mend this\n"),
        (ModelError("no such file"), 2, "vad-edge check: no such file\n"),
        (SourceUnusableError("no address"), 2, "vad-edge check: no address\n"),
        (StorageError("the disk is full"), 1, "vad-edge check: the disk is full\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_each_end_has_its_exit_code_and_no_traceback(
    error: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def fail(_options: object) -> int:
        raise error

    monkeypatch.setattr("edge.commands.check.run", fail)
    assert main(["check", "-c", "x"]) == code
    assert capsys.readouterr() == ("", said)
