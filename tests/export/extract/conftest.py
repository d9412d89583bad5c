import pytest

from tests.fakes.backbones import tiny_backbone
from tests.fakes.clips import write_clips


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Two training clips of 40 frames and a labelled one of 34; tests copy what they change."""
    return write_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def backbones(tmp_path_factory):
    """A backbone of pictures and one of clips, by name."""
    root = tmp_path_factory.mktemp("backbones")
    tiny_backbone(root / "still")
    tiny_backbone(root / "moving", frames=16, size_px=16)
    return {name: root / name for name in ("still", "moving")}
