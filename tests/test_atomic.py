import errno
import os

import pytest

from edge.atomic import write_atomically
from edge.errors import StorageError


def test_a_file_is_written_with_its_folder(tmp_path):
    path = tmp_path / "new" / "file"
    write_atomically(path, b"content")
    assert path.read_bytes() == b"content"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("call", ["fsync", "open", "replace"])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch, call):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    target = os if call == "fsync" else type(path)
    with monkeypatch.context() as patch:
        patch.setattr(target, call, refuse)
        with pytest.raises(StorageError, match="No space left on device; free the disk"):
            write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
