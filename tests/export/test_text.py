import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ConfigError
from edge.model.text import load_text
from export.cli import main
from tests.export.backbones.tiny import CLIP, add_tiny_clip, cosines, offline

torch = pytest.importorskip("torch")
clip_room = pytest.importorskip("export.backbones.clip")
families = pytest.importorskip("export.backbones.families")
text_room = pytest.importorskip("export.backbones.text")

__all__ = ["offline"]


@pytest.fixture(scope="module", autouse=True)
def _tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> None:
    add_tiny_clip(tmp_path_factory.mktemp("configs"))


def call(prompts: Path | str, out: Path, *more: str) -> int:
    return main(["text", str(prompts), "--model", CLIP, "--out", str(out), *more])


def test_prompts_become_the_text_towers_embeddings_of_unit_length(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], offline: list[object]
):
    (tmp_path / "words.txt").write_text("a person runs\n\n  a cyclist \n一个人", encoding="utf-8")
    out = tmp_path / "words.safetensors"
    assert call(tmp_path / "words.txt", out, "--random", "--seed", "3", "--format", "json") == 0
    told, texts = json.loads(capsys.readouterr().out), load_text(out)
    both = clip_room.load_both(CLIP, families.Random(3))
    assert texts.prompts == ("a person runs", "a cyclist", "一个人")
    assert (texts.model, texts.tower_sha256) == (CLIP, both.tower)
    assert told["prompts"] == 3
    assert told["cut_lines"] == []
    tokens = text_room.open_clip.get_tokenizer(CLIP)(list(texts.prompts))
    with torch.inference_mode():
        wanted = both.model.encode_text(tokens).numpy()
    np.testing.assert_allclose(cosines(texts.embeddings, wanted), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(texts.embeddings, axis=1), 1, atol=1e-6)
    assert not offline


def test_prompts_can_come_through_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\ufeffbicycle\r\n".encode())))
    assert call("-", tmp_path / "words", "--random") == 0
    assert load_text(tmp_path / "words").prompts == ("bicycle",)


def test_long_and_repeated_lines_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    fits, long = "a " * 10, "a " * 11  # with begin and end, 12 and 13 tokens
    lines = [fits, "run", "x" * 10_000, "run", long]
    (tmp_path / "words.txt").write_text("\n".join(lines))
    assert call(tmp_path / "words.txt", tmp_path / "words", "--random") == 0
    said = capsys.readouterr().err
    assert "line 4 repeats line 2: run" in said
    assert [n for n in range(1, 6) if f"line {n}: longer than {CLIP} reads" in said] == [3, 5]
    assert load_text(tmp_path / "words").prompts[:2] == (fits.strip(), "run")


@pytest.mark.parametrize("text", ["", "\n \n\t\n", "\ufeff"])
def test_no_prompts_are_told(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "words.txt").write_text(text, encoding="utf-8")
    assert call(tmp_path / "words.txt", tmp_path / "words", "--random") == 2
    assert "one a line" in capsys.readouterr().err


def test_wrong_files_and_names_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "ok.txt").write_text("a")
    out = str(tmp_path / "words")
    wrong = {
        "UTF-8": ["text", str(tmp_path / "latin.txt"), "--model", CLIP, "--random"],
        "nowhere": ["text", str(tmp_path / "nowhere"), "--model", CLIP, "--random"],
        "did you mean": ["text", str(tmp_path / "ok.txt"), "--model", "ViT-B-33", "--random"],
        "in open_clip": ["text", str(tmp_path / "ok.txt"), "--model", "s3d", "--random"],
        "--random is for tests": ["text", str(tmp_path / "ok.txt"), "--model", CLIP],
    }
    for told, arguments in wrong.items():
        assert main([*arguments, "--out", out]) == 2
        assert told in capsys.readouterr().err
    assert not Path(out).exists()


def test_lines_are_counted_as_editors_count_them():
    prompts = text_room.read_prompts("\nfirst\n\nsecond\nfirst\n")
    assert prompts.texts == ("first", "second")
    assert prompts.lines == (2, 4)
    with pytest.raises(ConfigError):
        text_room.read_prompts("\n")
