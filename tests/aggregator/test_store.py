"""What an older program has left, and what is only read."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from aggregator.plan import begin
from aggregator.store import Store
from aggregator.strategies.registry import make_strategy
from tests.aggregator.test_rounds import ZERO, plan

SHARES = np.array([0.25, 0.75], np.float32)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """As it was before there were clusters."""
    path = tmp_path / "aggregator.sqlite"
    store = Store(path)
    begin(store, make_strategy("fedavg"), plan(), ZERO, 0.0)
    store.close()
    db = sqlite3.connect(path)
    db.executescript("DROP TABLE objects; DROP TABLE placements; PRAGMA user_version = 2;")
    db.close()
    return path


def test_a_federation_of_before_there_were_clusters_is_gone_on_with(old: Path):
    for _ in range(2):
        store = Store(old)
        assert store.running().number == 1
        store.save_objects("a", SHARES)
        store.place({"b": SHARES, "c": None})
        store.close()
    store = Store(old)
    assert store.objects()["a"].tolist() == SHARES.tolist()
    assert [(name, seen is None) for name, seen in store.placements()] == [
        ("b", False),
        ("c", True),
    ] * 2
    store.close()


def test_who_only_reads_changes_no_old_file(old: Path):
    before = old.read_bytes()
    store = Store(old, read_only=True)
    assert (store.objects(), store.placements()) == ({}, [])
    assert store.running().number == 1
    store.close()
    assert old.read_bytes() == before
