import pytest

from tests.fakes.backbones import tiny_backbone
from tests.fakes.clips import write_clips


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Three training clips of 60 frames in which people walk."""
    return write_clips(tmp_path_factory.mktemp("clips"), train=3, train_s=6.0, test_s=2.0)


@pytest.fixture(scope="session")
def teacher(tmp_path_factory):
    """Embeds a picture as a turned mean colour: something that a small network can learn."""
    return tiny_backbone(tmp_path_factory.mktemp("teacher") / "tiny", width=6)
