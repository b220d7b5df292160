"""The queue of jobs, and whether anybody works it."""

from django.db import connection

from realtime.components import Component, Finding, Look, Measure, Scope, State
from realtime.database import in_database
from status.exchange import ALIVE_S
from status.running import process_monitor

WAITED_S = 30.0


# Each count reads the index of its state: what is done costs nothing. One statement, as a text: it
# is run every 1.5 s.
_QUEUE = """
    SELECT
        (SELECT COUNT(*) FROM realtime_job WHERE state = 'queued'),
        (SELECT COUNT(*) FROM realtime_job WHERE state = 'scheduled'),
        (SELECT COUNT(*) FROM realtime_job WHERE state = 'running'),
        (SELECT COUNT(*) FROM realtime_job WHERE state = 'dead'),
        (SELECT {waited} FROM realtime_job WHERE state = 'queued'),
        (SELECT COUNT(*) FROM status_member WHERE kind = 'worker' AND seen_at >= {alive})
"""
_TIMES = {
    "sqlite": {
        "waited": "(JULIANDAY('NOW') - JULIANDAY(MIN(run_after))) * 86400",
        "alive": f"STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW', '-{ALIVE_S:g} seconds')",
    },
    "postgresql": {
        "waited": "EXTRACT(EPOCH FROM STATEMENT_TIMESTAMP() - MIN(run_after))",
        "alive": f"STATEMENT_TIMESTAMP() - INTERVAL '{ALIVE_S:g} seconds'",
    },
}
_NAMES = ("queued", "scheduled", "running", "dead", "oldest_s", "workers")


def queue() -> dict[str, float]:
    """The measures, in a database thread."""
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE.format(**_TIMES[connection.vendor]))
        found = cursor.fetchone()
    values = {name: float(value or 0.0) for name, value in zip(_NAMES, found, strict=True)}
    return {**values, "oldest_s": max(0.0, values["oldest_s"])}


async def look() -> Finding:
    values = await in_database(queue)
    if not values["workers"]:
        monitor = process_monitor()
        if monitor is not None and monitor.alone.newly_over:
            return Finding(State.UNKNOWN, "workers have yet to say that they live", values)
        return Finding(State.DOWN, "no worker runs", values)
    if values["oldest_s"] >= WAITED_S:
        text = f"a job has waited for {values['oldest_s']:.0f} s"
        return Finding(State.DEGRADED, text, values)
    return Finding(State.OK, "", values)


def probe(node: object) -> Look:
    return look


COMPONENT = Component(
    name="jobs",
    label="Jobs",
    scope=Scope.SYSTEM,
    every_s=1.5,
    limit_s=9.0,
    meaning={
        State.DEGRADED: "a job that is ready to run has waited for 30 s",
        State.DOWN: "no worker has been heard of for 6 s",
    },
    measures=(
        Measure("queued", "", "jobs that are ready and wait for a worker"),
        Measure("scheduled", "", "jobs whose time has not come"),
        Measure("running", "", "jobs that run"),
        Measure("dead", "", "jobs that used up their attempts and wait for a person"),
        Measure("oldest_s", "s", "how long the one that waits longest has been ready"),
        Measure("workers", "", "workers that are alive"),
    ),
    probe=probe,
)
