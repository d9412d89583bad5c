import errno
import os
import subprocess
import sys

import pytest

from edge import lock
from edge.errors import StorageError
from edge.lock import LOCK_NAME, sole_user


def test_a_second_process_is_told_who_holds_the_folder(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from edge.errors import VadError\nfrom edge.lock import sole_user\n"
        "try:\n    with sole_user(Path(sys.argv[1])): print('mine')\n"
        "except VadError as error: print(error)"
    )
    ask = [sys.executable, "-c", code, str(tmp_path)]
    with sole_user(tmp_path):
        told = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
    assert f"in use by another vad-edge (process {os.getpid()})" in told
    assert subprocess.run(ask, capture_output=True, text=True, check=True).stdout == "mine\n"


def test_the_folder_is_made(tmp_path):
    with sole_user(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b" / LOCK_NAME).exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(StorageError, match=r"file/data cannot be written: Not a directory; mend"),
        sole_user(tmp_path / "file" / "data"),
    ):
        pass


def test_a_read_only_folder_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(lock.os, "open", refuse)
    with pytest.raises(StorageError, match="Read-only file system"), sole_user(tmp_path):
        pass


def test_a_full_disk_is_said_but_does_not_blind_the_cameras(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(lock.os, "pwrite", refuse)
    with sole_user(tmp_path):
        assert "No space left on device; free the disk" in caplog.text
