import shutil

import pytest

from tests.fakes.clips import write_clips


@pytest.fixture(scope="session")
def generated(tmp_path_factory):
    """Videos ``n0`` and ``n1`` of people walking, and ``odd``, where one cycles."""
    return write_clips(tmp_path_factory.mktemp("clips")) / "video"


@pytest.fixture
def footage(generated, tmp_path):
    """The same, to be spoilt."""
    return shutil.copytree(generated, tmp_path / "footage")
