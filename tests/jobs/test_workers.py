"""Worker processes on the suite's own database: killed, poisoned, stopped, several at a time."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connection

from realtime.jobs.keeping import WorkerKeeper
from realtime.models import IncidentReport, Job, JobState
from tests.embedded.waiting import gone
from tests.jobs import declared

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]
LEASE_S = 1.5
JOBS = 500


def database_url() -> str:
    """Where the suite's rows are at present."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def environment(**variables: str) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "pm_project.settings",
        "DATABASE_URL": database_url(),
        "DATA_DIR": str(settings.PM.data_dir),
        "JOB_LEASE": str(LEASE_S),
        "DRAIN_WINDOW": "1",
        **variables,
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.jobs.work", *arguments]


class Workers:
    """Those of one test; what is left is killed after it."""

    def __init__(self) -> None:
        self.living: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command(*arguments), cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
        )
        self.living.append(process)
        return process

    def kill(self, process: subprocess.Popen[str]) -> None:
        self.living.remove(process)
        process.kill()
        process.communicate()

    def stop(self) -> list[int]:
        """A planned stop of all; their exit statuses."""
        for process in self.living:
            process.terminate()
        for process in self.living:
            process.communicate(timeout=20)
        stopped, self.living = self.living, []
        return [process.returncode for process in stopped]


@pytest.fixture
def workers() -> Iterator[Workers]:
    found = Workers()
    yield found
    for process in list(found.living):
        found.kill(process)


def until(condition: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        rows = Counter(Job.objects.values_list("name", "state"))
        assert time.monotonic() < deadline, f"expected {what}, got {rows}"
        time.sleep(0.02)


def holding() -> set[int]:
    """The processes that jobs are running in."""
    names = Job.objects.filter(state=JobState.RUNNING).values_list("worker", flat=True)
    return {int(name.rsplit(".", 2)[1]) for name in names}


def number(state: JobState) -> int:
    return Job.objects.filter(name=declared.write_once.job_name, state=state).count()


def test_each_effect_is_there_once_whoever_is_killed(workers: Workers) -> None:
    """500 jobs, three workers, kill -9 in the middle of them: none is lost, none counts twice.
    Beside them a periodic job is enqueued once a period, by all workers together."""
    for index in range(JOBS):
        declared.write_once.enqueue(what=f"job.{index}", pause_s=0.1)
    for _ in range(3):
        workers.start("--concurrency", "8")
    for killed_at in (100, 250, 400):
        until(lambda: number(JobState.DONE) >= killed_at, f"{killed_at} jobs done")  # noqa: B023 - called at once
        pids = holding()
        victim = next((one for one in workers.living if one.pid in pids), workers.living[0])
        workers.kill(victim)
        workers.start("--concurrency", "8")
    until(lambda: number(JobState.DONE) == JOBS, "all jobs done")
    effects = Counter(IncidentReport.objects.values_list("part", flat=True))
    assert effects == Counter(f"job.{index}" for index in range(JOBS))
    written = Job.objects.filter(name=declared.write_once.job_name)
    assert written.filter(attempt__gt=1).exists(), "expected a kill to hit running jobs"

    ticks = Job.objects.filter(name="tests.tick").order_by("pk")
    until(lambda: ticks.count() >= 3, "three periods")
    times = list(ticks.values_list("enqueued_at", flat=True))
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert min(pauses) > timedelta(seconds=0.9)

    # The last one may only just have begun: a stop is planned once each has something to do.
    for index in range(3 * 8):
        declared.write_once.enqueue(what=f"last.{index}", pause_s=5)
    until(lambda: holding() >= {one.pid for one in workers.living}, "three at work")
    assert workers.stop() == [0, 0, 0]


def test_job_that_kills_its_workers_ends_in_dead_letters() -> None:
    """kill -9 each time: nobody could write its failure, and yet it does not come for ever."""
    poison = declared.poison.enqueue()
    keeper = KeptInTest()
    keeper.start()
    try:
        until(lambda: Job.objects.get(pk=poison.id).state == JobState.DEAD, "a dead job")
        harmless = declared.write_once.enqueue(what="after")
        until(lambda: Job.objects.get(pk=harmless.id).state == JobState.DONE, "work to go on")
    finally:
        keeper.finish()
    row = Job.objects.get(pk=poison.id)
    assert row.attempt == 2
    assert "the worker died with this job" in row.error
    assert not keeper.is_alive()


class KeptInTest(WorkerKeeper):
    """Starts workers that know the tests' jobs, with leases and pauses of tests."""

    def __init__(self) -> None:
        variables = [f"{name}={value}" for name, value in environment(JOB_LEASE="1").items()]
        supervised = command("--supervisor", str(os.getpid()))
        super().__init__(["env", *variables, *supervised], ROOT, drain_s=1.0)


def test_signals_stop_a_worker_in_order(workers: Workers) -> None:
    """SIGTERM hands back within the drain's time, a second one at once, and the status is 0."""
    long = declared.deaf.enqueue()
    process = workers.start()
    until(lambda: Job.objects.get(pk=long.id).state == JobState.RUNNING, "the job to run")
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    until(lambda: Job.objects.get(pk=long.id).state == JobState.QUEUED, "the job to be back")
    assert time.monotonic() - began > 0.9
    assert process.wait(10) == 0
    assert Job.objects.get(pk=long.id).attempt == 0


def test_worker_ends_with_whoever_supervises_it() -> None:
    """`serve` is killed: nothing goes on in its name."""
    starter = (
        "import subprocess, sys, os, time\n"
        "print(subprocess.Popen([*sys.argv[1:], '--supervisor', str(os.getpid())]).pid, flush=True)"
        "\ntime.sleep(60)"
    )
    declared.deaf.enqueue()
    parent = subprocess.Popen(
        [sys.executable, "-c", starter, *command()],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    until(lambda: Job.objects.filter(state=JobState.RUNNING).exists(), "the job to run")
    parent.kill()
    parent.communicate()
    until(lambda: gone(pid), "the worker's end", 5.0)
