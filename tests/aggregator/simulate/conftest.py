from pathlib import Path

import pytest

from tests.aggregator.simulate.footage import write_tracks
from tests.fakes.feature_folder import write_features


@pytest.fixture
def features(tmp_path: Path) -> Path:
    return write_features(tmp_path)


@pytest.fixture
def tracks(tmp_path: Path) -> Path:
    return write_tracks(tmp_path)
