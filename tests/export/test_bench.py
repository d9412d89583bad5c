from types import SimpleNamespace

import pytest

from edge.features.embedding import Look
from edge.model.artifact import Eyes
from export.proof.cost import Cost
from tests.export.students import DESCRIPTORS, WIDTH, command, training_folder
from tests.fakes.backbones import tiny_backbone

MEDIANS = {"prepare": 1.0, "backbone": 10.0, "student": 2.0}


def cost(frames, look, objects=3):
    backbone = SimpleNamespace(frames=frames)
    return Cost.of(SimpleNamespace(eyes=Eyes(backbone, look)), MEDIANS, objects)


def test_a_segment_costs_what_its_looks_cost():
    assert cost(1, Look("picture", 4)).segment_ms == 4 * 11 + 2
    assert cost(1, Look("objects", 4)).segment_ms == 4 * 3 * 11 + 2
    assert cost(1, Look("objects", 2), objects=5).segment_ms == 2 * 5 * 11 + 2
    assert cost(16, Look("picture", 16)).segment_ms == 16 * 1 + 10 + 2  # a clip is one run


def test_a_core_carries_as_many_cameras_as_segments_fit_into_one():
    """16 frames at 5 Hz last 3.2 s."""
    assert cost(1, Look("picture", 4)).cameras_per_core == pytest.approx(3200 / 46)


def test_without_a_backbone_only_the_student_costs():
    only = Cost.of(SimpleNamespace(eyes=None), {"student": 2.0}, 3)
    assert (only.prepare_ms, only.backbone_ms, only.segment_ms) == (0, 0, 2)


def test_two_exports_are_timed_in_one_run(tmp_path, capsys):
    seeing = tiny_backbone(tmp_path / "eyes", width=WIDTH)
    training_folder(tmp_path / "seeing")
    training_folder(tmp_path / "blind", inputs=DESCRIPTORS)
    command(
        capsys, "onnx", tmp_path / "seeing", "--out", tmp_path / "a", "--backbone", seeing.folder
    )
    command(capsys, "onnx", tmp_path / "blind", "--out", tmp_path / "b")
    said = command(capsys, "bench", tmp_path / "a", "--against", tmp_path / "b", "--rounds", 3)
    assert said["prepare_ms"] > 0
    assert said["backbone_ms"] > 0
    assert said["against"]["prepare_ms"] == said["against"]["backbone_ms"] == 0
    assert said["speed_up"] == pytest.approx(said["against"]["segment_ms"] / said["segment_ms"])


def test_what_cannot_be_loaded_cannot_be_timed(tmp_path, capsys):
    assert "no manifest.json" in command(capsys, "bench", tmp_path, code=2)
