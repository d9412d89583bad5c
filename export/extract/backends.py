"""Where videos are described: in processes of this machine, or on the machines of a Ray cluster.

A video needs nothing of any other. Workers are told plain values and return rows; the process that
asked writes them, so that only the footage must be at the same path on all machines.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from types import ModuleType
from typing import Literal, TypeAlias

from edge.errors import ConfigError
from export.extract.clip import Job, Outcome, Setup, extract_clip

Backend: TypeAlias = Literal["processes", "ray"]


def extract(
    setup: Setup, jobs: Sequence[Job], *, backend: Backend, workers: int
) -> Iterator[Outcome]:
    """What becomes of each video, in the order in which they are done.

    ``workers`` is the number of processes; how many a Ray cluster has, it knows itself. Raises
    ConfigError where Ray is absent or workers die, ModelError where a network cannot be used.
    """
    if backend == "ray":
        return _on_ray(setup, jobs)
    if workers == 1:
        return (extract_clip(setup, job) for job in jobs)
    return _in_processes(setup, jobs, workers)


def _in_processes(setup: Setup, jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    spawn = multiprocessing.get_context("spawn")  # sessions and codecs do not survive a fork
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_end_with_parent) as pool:
        futures = [pool.submit(extract_clip, setup, job) for job in jobs]
        try:
            for done in as_completed(futures):
                yield done.result()
        except BrokenProcessPool as error:
            raise ConfigError(
                f"--workers {workers}: one of them was killed, most likely for want of memory; "
                "name fewer and start again: what is done is kept"
            ) from error
        finally:
            for future in futures:
                future.cancel()


def _on_ray(setup: Setup, jobs: Sequence[Job]) -> Iterator[Outcome]:
    """On the cluster that Ray finds (RAY_ADDRESS), or one of its own on this machine."""
    ray = _imported_ray()
    ray.init(ignore_reinit_error=True)
    task = ray.remote(extract_clip)
    waiting = [task.remote(setup, job) for job in jobs]
    while waiting:
        done, waiting = ray.wait(waiting)
        yield from ray.get(done)


def _imported_ray() -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "--backend ray: Ray is not installed here; pip install 'vad-edge[export,ray]' on every "
            "machine of the cluster, or use --backend processes"
        ) from error
    module: ModuleType = ray
    return module


def _end_with_parent() -> None:
    """A worker holds both ends of its queue: killed alone, its parent would leave it for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()
