"""``vad-aggregator distil`` on a round that was averaged, with a public set in memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from aggregator.cli import main
from aggregator.distil_folder import has_result, task_of, write_task
from aggregator.public import reading
from edge.errors import DatasetError
from edge.model.spec import StudentSpec
from edge.model.student import make_student, weights_of
from edge.terminal import FAILED, WRONG_INPUT
from edge.wire.weights import encode_weights
from tests.aggregator.distillation.public_sets import WIDTH, a_set

SPEC = StudentSpec("clap", WIDTH, hidden=8)
MODEL = weights_of(make_student(SPEC, seed=0))
SECTION = """
distillation:
  public: public
  options: {steps: 2, teacher: {width: 8, heads: 2, epochs: 1}}
"""


@pytest.fixture
def config(tmp_path, monkeypatch) -> Path:
    """A federation whose first round has been averaged."""
    monkeypatch.setattr(reading, "read_public", lambda folder: a_set())
    monkeypatch.setattr("os.nice", lambda increment: increment)  # lasts as long as the process
    about = {"student": json.dumps(SPEC.as_json()), "spec_versions": "[]"}
    (tmp_path / "m.safetensors").write_bytes(encode_weights(MODEL, metadata=about))
    path = tmp_path / "aggregator.yaml"
    path.write_text("federation: street\nmodel: m.safetensors\n" + SECTION)
    write_task(tmp_path / "1", task_of(1, (), MODEL, ()))
    return path


def distil(config: Path, *more: str) -> int:
    work = config.parent / "1"
    return main(["distil", "-c", str(config), "--work", str(work), "--format", "json", *more])


def test_it_answers_with_what_became_of_every_model(config, capsys) -> None:
    assert distil(config) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["made"]
    assert [(each["label"], each["videos"]) for each in answer["clusters"]] == [(0, 16)]
    assert has_result(config.parent / "1")
    assert list((config.parent / "data" / "teachers").iterdir())


def test_what_is_there_is_not_made_again(config, capsys) -> None:
    distil(config)
    capsys.readouterr()
    assert distil(config) == 0
    assert json.loads(capsys.readouterr().out) == {"made": False}


def test_a_section_or_a_folder_must_say_where_public_videos_are(config, capsys) -> None:
    config.write_text(config.read_text().replace(SECTION, ""))
    assert distil(config) == WRONG_INPUT
    assert "--public" in capsys.readouterr().err
    assert distil(config, "--public", "elsewhere", "--no-captions") == 0


def test_what_fails_has_an_exit_code_and_leaves_nothing(config, capsys, monkeypatch) -> None:
    def broken(folder):
        raise DatasetError(f"{folder}: no public set")

    monkeypatch.setattr(reading, "read_public", broken)
    assert distil(config) == FAILED
    assert "no public set" in capsys.readouterr().err
    assert not has_result(config.parent / "1")


def test_it_is_known_where_torch_is_not_installed() -> None:
    code = "import sys; sys.modules['torch'] = None; from aggregator.cli import main; main()"
    said = subprocess.run(
        [sys.executable, "-c", code, "distil", "--help"], capture_output=True, check=False
    )
    assert b"--work" in said.stdout
