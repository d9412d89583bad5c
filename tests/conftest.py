"""Fixtures that every room's tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# no test asserts wall-clock time, and neither does hypothesis
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

DEFAULT_DATA = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def vad_data() -> Path:
    """The folder of real footage; its README says what is in it."""
    root = Path(os.environ.get("VAD_DATA", DEFAULT_DATA))
    if not (root / "data").is_dir():
        pytest.skip(f"no real footage at {root}: set VAD_DATA")
    return root
