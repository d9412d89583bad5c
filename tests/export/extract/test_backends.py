import sys
from types import SimpleNamespace

import numpy as np
import pytest

from edge.errors import ConfigError, ModelError
from export.extract.backends import extract
from export.extract.clip import Job, Setup
from export.extract.videos import Video


@pytest.fixture
def setup(backbones):
    return Setup((("still", backbones["still"]),), "picture")


@pytest.fixture
def jobs(clips):
    folder = clips / "video" / "train"
    return [Job(Video(f"n{k}", "train", folder / f"n{k}.mkv"), ("still",)) for k in range(2)]


def rows(outcomes):
    return {outcome.video.name: outcome.rows["still"] for outcome in outcomes}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_processes_give_what_one_process_gives(setup, jobs):
    alone = rows(extract(setup, jobs, backend="processes", workers=1))
    assert same(rows(extract(setup, jobs, backend="processes", workers=2)), alone)


def test_an_error_of_a_worker_arrives(jobs, tmp_path):
    setup = Setup((("still", tmp_path / "nowhere"),), "picture")
    with pytest.raises(ModelError, match="nowhere"):
        list(extract(setup, jobs[:1], backend="processes", workers=2))


def test_ray_is_asked_for_where_it_is_absent(setup, jobs, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'vad-edge\[export,ray\]'"):
        list(extract(setup, jobs, backend="ray", workers=1))


def test_ray_deals_out_the_videos(setup, jobs, monkeypatch):
    inits = []
    ray = SimpleNamespace(
        init=lambda **options: inits.append(options),
        remote=lambda task: SimpleNamespace(remote=task),
        wait=lambda waiting: (waiting[-1:], waiting[:-1]),  # the last one is done first
        get=list,
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    alone = rows(extract(setup, jobs, backend="processes", workers=1))
    assert same(rows(extract(setup, jobs, backend="ray", workers=1)), alone)
    assert len(inits) == 1
