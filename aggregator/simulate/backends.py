"""Where runs are done: one after another here, in processes of this machine, or on a Ray cluster.

A run needs nothing of any other, so whole runs are dealt out: nothing travels between machines
while one is under way. The scenario travels once to each worker. ``broker`` is another matter: runs
are done one after another, but within a run everybody is a process, and they talk over MQTT.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from types import ModuleType
from typing import Literal, TypeAlias

from aggregator.simulate.over_broker import over_broker
from aggregator.simulate.problem import Scenario
from aggregator.simulate.run import Job, Run, run_job
from edge.errors import ConfigError

Backend: TypeAlias = Literal["inline", "processes", "ray", "broker"]
Work: TypeAlias = Callable[[Scenario, Sequence[Job], Callable[[int], object]], Iterator[Run]]

_scenario: Scenario | None = None  # of a worker process


def inline(
    scenario: Scenario, jobs: Sequence[Job], on_rounds: Callable[[int], object]
) -> Iterator[Run]:
    """In this process; ``on_rounds`` hears of every round."""
    for job in jobs:
        yield run_job(scenario, job, on_round=lambda: on_rounds(1))


def processes(
    scenario: Scenario, jobs: Sequence[Job], on_rounds: Callable[[int], object]
) -> Iterator[Run]:
    """In as many processes as the machine has cores; ``on_rounds`` hears of whole runs."""
    spawn = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    with ProcessPoolExecutor(mp_context=spawn, initializer=_keep, initargs=(scenario,)) as pool:
        futures = [pool.submit(_run_kept, job) for job in jobs]
        try:
            for done in as_completed(futures):
                run = done.result()
                on_rounds(run.rounds[-1].number)
                yield run
        finally:
            for future in futures:
                future.cancel()


def on_ray(
    scenario: Scenario, jobs: Sequence[Job], on_rounds: Callable[[int], object]
) -> Iterator[Run]:
    """On the cluster that Ray finds (RAY_ADDRESS), or one of its own on this machine."""
    ray = _imported_ray()
    ray.init(ignore_reinit_error=True)
    kept = ray.put(scenario)
    task = ray.remote(run_job)
    waiting = [task.remote(kept, job) for job in jobs]
    while waiting:
        done, waiting = ray.wait(waiting)
        for run in ray.get(done):
            on_rounds(run.rounds[-1].number)
            yield run


def at_broker(
    scenario: Scenario, jobs: Sequence[Job], on_rounds: Callable[[int], object]
) -> Iterator[Run]:
    """Strategies over a broker of this machine, what needs none as ``inline``."""
    for job in jobs:
        yield run_job(scenario, job, lambda: on_rounds(1), over_broker)


BACKENDS: dict[Backend, Work] = {
    "inline": inline,
    "processes": processes,
    "ray": on_ray,
    "broker": at_broker,
}


def _imported_ray() -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "--backend ray: Ray is not installed here; pip install 'ray[default]' on every "
            "machine of the cluster, or use --backend processes"
        ) from error
    module: ModuleType = ray
    return module


def _keep(scenario: Scenario) -> None:
    global _scenario  # a worker process has no other place
    _scenario = scenario


def _run_kept(job: Job) -> Run:
    assert _scenario is not None
    return run_job(_scenario, job)
