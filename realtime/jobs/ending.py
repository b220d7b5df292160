"""How a claim ends: done, cancelled, tried again, dead, or handed back.

Every function writes only while the token is the newest; what it returns says whether it was.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from realtime.models.job import Job, JobState

BACKOFF_S = 2.0
MAX_BACKOFF_S = 300.0
MAX_ERROR_CHARACTERS = 20_000
SUPERSEDED = "another job with the same key waits already"


@dataclass(frozen=True, slots=True)
class Held:
    """A claim: it is held as long as the row's token is this one."""

    id: int
    token: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt ended. `after_s` is a pause that was asked for; `final` ends all attempts."""

    error_class: str
    error: str
    after_s: float | None = None
    final: bool = False


WORKER_DIED = Failure(
    "realtime.jobs.WorkerDied", "the worker died with this job, or did not renew its lease"
)


def _running(held: Held) -> QuerySet[Job]:
    return Job.objects.filter(pk=held.id, token=held.token, state=JobState.RUNNING)


def end_together(held: Iterable[Held], state: JobState) -> None:
    """Done or cancelled, many with few statements: most jobs are claimed for the first time."""
    by_token: dict[int, list[int]] = {}
    for one in held:
        by_token.setdefault(one.token, []).append(one.id)
    for token, ids in by_token.items():
        Job.objects.filter(pk__in=ids, token=token, state=JobState.RUNNING).update(
            state=state, finished_at=Now(), lease_until=None, error="", error_class=""
        )


def fail(held: Held, failure: Failure) -> JobState | None:
    """Another attempt after a pause, or dead; None when the lease was lost."""
    row = _running(held).values_list("attempt", "max_attempts").first()
    if row is None:
        return None
    attempt, max_attempts = row
    told = {
        "error_class": failure.error_class,
        "error": failure.error[-MAX_ERROR_CHARACTERS:],
    }
    if failure.final or attempt >= max_attempts:
        dead = _running(held).update(
            state=JobState.DEAD, finished_at=Now(), lease_until=None, **told
        )
        return JobState.DEAD if dead else None
    pause_s = backoff_s(attempt) if failure.after_s is None else failure.after_s
    later = {"state": JobState.SCHEDULED, "run_after": Now() + timedelta(seconds=pause_s)}
    return _return(held, {**later, **told})


def hand_back(held: Sequence[Held]) -> None:
    """To the front of the queue, as if it had not been claimed: the worker stops."""
    for one in held:
        _return(one, {"state": JobState.QUEUED, "attempt": F("attempt") - 1})


def expire(held: Held) -> JobState | None:
    """The lease is over: another worker's turn, at once. A job that ends its workers dies, too."""
    again = _running(held).filter(attempt__lt=F("max_attempts"))
    found = _return(held, {"state": JobState.QUEUED}, again)
    return found or fail(held, WORKER_DIED)


def _return(
    held: Held,
    changes: dict[str, Any],
    rows: QuerySet[Job] | None = None,
) -> JobState | None:
    try:
        with transaction.atomic():
            found = (_running(held) if rows is None else rows).update(lease_until=None, **changes)
    except IntegrityError:
        # The only constraint is that of the unique key: what waits does the same work.
        superseded = _running(held).update(
            state=JobState.CANCELLED, finished_at=Now(), lease_until=None, error=SUPERSEDED
        )
        return JobState.CANCELLED if superseded else None
    return changes["state"] if found else None


def backoff_s(attempt: int) -> float:
    """Exponential, with full jitter: what failed together must not come back together."""
    return random.uniform(0, min(MAX_BACKOFF_S, BACKOFF_S * 2.0 ** (attempt - 1)))
