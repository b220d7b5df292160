"""What the queue of jobs costs: `python -m bench.jobs [--jobs 5000] [--database sqlite]`.

For SQLite and for a PostgreSQL of its own, one worker (`manage.py work`) on a Valkey:
jobs a second that do nothing, enqueued beforehand; the time from `enqueue` to the job's first line
with an idle worker, one job at a time; and a claim of 50 with 1,000 and with 100,000 jobs waiting.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.valkey import running_valkey
from tests.faults.processes import free_port
from tests.postgres import temporary_postgres

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 120.0
STARTS = 200
PAUSE_S = 0.02
DEPTHS = (1_000, 100_000)
CLAIMS = 20


# In a process of its own, with Django on the database under measurement


@contextmanager
def working() -> Iterator[None]:
    """One worker, once it works."""
    program = (
        "import django; django.setup(); import bench.noop_jobs; "
        "from django.core.management import call_command; call_command('work')"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    try:
        assert worker.stdout.readline().startswith("Working"), "expected the worker to start"
        yield
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)


def wait_for_all() -> None:
    from realtime.models import Job

    deadline = time.monotonic() + LIMIT_S
    while Job.objects.filter(state__in=["queued", "running", "scheduled"]).exists():
        assert time.monotonic() < deadline, "expected the worker to end all jobs"
        time.sleep(0.1)


def measure_rate(jobs: int) -> dict[str, float]:
    """Jobs a second, enqueued one a transaction, then run; the latter by the rows' times."""
    from django.db.models import Max, Min

    from bench.noop_jobs import nothing
    from realtime.models import Job

    began = time.monotonic()
    for _ in range(jobs):
        nothing.enqueue()
    enqueued_s = time.monotonic() - began
    with working():
        wait_for_all()
    times = Job.objects.filter(name="bench.nothing").aggregate(
        first=Min("started_at"), last=Max("finished_at")
    )
    return {
        "enqueued_per_s": jobs / enqueued_s,
        "run_per_s": jobs / (times["last"] - times["first"]).total_seconds(),
    }


def measure_starts() -> dict[str, float]:
    from bench.noop_jobs import note_start

    with tempfile.NamedTemporaryFile("r", suffix=".txt") as file:
        os.environ["BENCH_STARTS"] = file.name
        with working():
            for _ in range(STARTS + 10):
                note_start.enqueue(at=time.time())
                time.sleep(PAUSE_S)
            wait_for_all()
        started_ms = sorted(float(line) * 1000 for line in file.readlines()[10:])
    return {
        "start_p50_ms": statistics.median(started_ms),
        "start_p95_ms": started_ms[round(len(started_ms) * 0.95)],
    }


def measure_claims() -> dict[str, float]:
    from realtime.jobs.claiming import claim
    from realtime.models import Job

    found = {}
    for depth in DEPTHS:
        Job.objects.all().delete()
        Job.objects.bulk_create(
            (Job(name="bench.nothing", priority=number % 7) for number in range(depth)),
            batch_size=1_000,
        )
        took_ms = []
        for _ in range(CLAIMS):
            began = time.perf_counter()
            assert len(claim("bench", 50)) == 50
            took_ms.append((time.perf_counter() - began) * 1000)
        found[f"claim_50_of_{depth}_ms"] = statistics.median(took_ms)
    return found


def measure(jobs: int) -> None:
    """Print the figures as one line of JSON."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    print(json.dumps(measure_rate(jobs) | measure_starts() | measure_claims()))


# The command


@contextmanager
def environment(database: str) -> Iterator[dict[str, str]]:
    """Of a new installation: an empty database and a Valkey of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder / 'db.sqlite3'}"
        if database == "postgresql":
            url = stack.enter_context(temporary_postgres())
        yield {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "pm_project.settings",
            "DATA_DIR": str(folder),
            "DATABASE_URL": url,
            "REDIS_URL": stack.enter_context(running_valkey(folder, free_port(), core=None)),
        }


def main() -> None:
    """Measure both databases and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=5_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql"])
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.jobs)
        return
    for database in [given.database] if given.database else ["sqlite", "postgresql"]:
        with environment(database) as variables:
            command = [sys.executable, "-m", "bench.jobs", "--measure", "--jobs", str(given.jobs)]
            done = subprocess.run(
                command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True, check=True
            )
        figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        for name, value in figures.items():
            print(f"{database:>10}  {name:<24} {value:10.1f}")


if __name__ == "__main__":
    main()
