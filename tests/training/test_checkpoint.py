import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import StorageError
from edge.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, task_of

ARRAYS = {"weight/a": np.eye(3, dtype=np.float32)[:, ::-1], "generator": np.arange(9, dtype="u1")}


def stored(path: Path, *, epoch: int = 2) -> Checkpoint:
    checkpoint = Checkpoint("task", epoch, 17, 0.25, ARRAYS)
    save_checkpoint(path, checkpoint)
    return checkpoint


def test_what_is_stored_is_found(tmp_path: Path):
    path = tmp_path / "deep" / "training"
    saved = stored(path)
    found = load_checkpoint(path, "task")
    assert (found.epoch, found.steps, found.loss) == (saved.epoch, saved.steps, saved.loss)
    assert set(found.arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found.arrays[name], array)
    assert list(path.parent.iterdir()) == [path]


def test_the_last_one_counts(tmp_path: Path):
    for epoch in (1, 2, 3):
        stored(tmp_path / "training", epoch=epoch)
    assert load_checkpoint(tmp_path / "training", "task").epoch == 3


def test_another_task_is_never_resumed(tmp_path: Path):
    stored(tmp_path / "training")
    assert load_checkpoint(tmp_path / "training", "another") is None
    assert load_checkpoint(tmp_path / "missing", "task") is None


def test_a_failed_write_leaves_the_one_before(tmp_path: Path):
    blocker = tmp_path / "file"
    blocker.write_bytes(b"")
    with pytest.raises(StorageError, match="cannot write"):
        stored(blocker / "training")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(at=st.integers(0, 500), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_one_is_never_half_used(tmp_path: Path, caplog, at: int, bit: int, cut: bool):
    caplog.set_level(logging.CRITICAL)
    path = tmp_path / "training"
    stored(path)
    whole = bytearray(path.read_bytes())
    at %= len(whole)
    if cut:
        del whole[at:]
    else:
        whole[at] ^= 1 << bit
    path.write_bytes(whole)
    found = load_checkpoint(path, "task")
    assert found is None or (found.task == "task" and not cut)


def test_the_fingerprint_changes_with_everything():
    rows = np.arange(6, dtype=np.float32)
    variants = [
        task_of("a", [rows]),
        task_of("b", [rows]),
        task_of("a", [rows.reshape(2, 3)]),
        task_of("a", [rows.astype(np.float64)]),
        task_of("a", [rows + 1]),
        task_of("a", [rows, rows]),
    ]
    assert len(set(variants)) == len(variants)
    assert task_of("a", [rows.reshape(2, 3).T.copy().T.reshape(-1)]) == variants[0]
