"""The queue of jobs, and whether anybody works it."""

from django.db.models.functions import Now

from realtime.components import Component, Finding, Look, Measure, Scope, State
from realtime.database import in_database
from realtime.models import Job, JobState
from status.exchange import living
from status.models import MemberKind
from status.running import process_monitor

WAITED_S = 30.0


def queue() -> dict[str, float]:
    """Each count reads the index of its state: what is done costs nothing."""
    rows = Job.objects.order_by()
    values = {
        state.value: float(rows.filter(state=state).count())
        for state in (JobState.QUEUED, JobState.SCHEDULED, JobState.RUNNING, JobState.DEAD)
    }
    queued = rows.filter(state=JobState.QUEUED).order_by("run_after").annotate(now=Now())
    oldest = queued.values_list("run_after", "now").first()
    waited = (oldest[1] - oldest[0]).total_seconds() if oldest is not None else 0.0
    values["oldest_s"] = max(0.0, waited)
    values["workers"] = float(living().filter(kind=MemberKind.WORKER).count())
    return values


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
