"""What a running job knows of itself, and the one way in which it writes to the database."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import transaction
from django.db.models.functions import Now

from realtime.conf import options
from realtime.database import in_database
from realtime.models.job import Job, JobState

P = ParamSpec("P")
T = TypeVar("T")


class LeaseLost(Exception):
    """Another worker has the job, or it has ended: whoever hears this stops and writes nothing."""


class RetryLater(Exception):
    """Raised by a job: try again after `after_s` seconds, as a service asked for. The attempt
    counts."""

    def __init__(self, message: str, *, after_s: float) -> None:
        super().__init__(message)
        self.after_s = after_s


class GiveUp(Exception):
    """Raised by a job for which another attempt is of no use: it is dead at once."""


@dataclass(eq=False)
class JobContext:
    """One claim of one job.

    `attempt` counts from 1; a higher `priority` is more urgent. `token` is the claim's fencing
    token. `cancel_requested` is set when somebody asked for an end: the job winds up and returns;
    it is cancelled 10 s later otherwise.
    """

    id: int
    attempt: int
    token: int
    enqueued_at: datetime
    pool: Callable[[], Executor]
    priority: int = 0
    cancel_requested: asyncio.Event = field(default_factory=asyncio.Event)
    completed: bool = False

    @contextmanager
    def effect(self, *, complete: bool = False) -> Iterator[None]:
        """A transaction that only the holder of the job can make. Synchronous.

        It locks the job's row first, and renews its lease. With `complete` the job is done in the
        same commit: all of its effect is there or nothing. Anything else than the database is to
        carry `id` as its idempotency key. Streams are locked inside, as everywhere.
        Raises LeaseLost.
        """
        lease = Now() + timedelta(seconds=options().job_lease)
        changes = (
            {"state": JobState.DONE, "finished_at": Now(), "lease_until": None, "error": ""}
            if complete
            else {"lease_until": lease}
        )
        with transaction.atomic():
            held = Job.objects.filter(pk=self.id, token=self.token, state=JobState.RUNNING)
            if not held.update(**changes):
                raise LeaseLost(f"expected to hold job {self.id}, got a newer claim or its end")
            yield
        if complete:
            self.completed = True

    async def fenced(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run synchronous database code as an effect, in a database thread.

        Raises LeaseLost, Unavailable, and what `function` raises.
        """
        return await in_database(
            partial(self._in_effect, False, partial(function, *args, **kwargs))
        )

    async def complete(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As `fenced`, and the job is done in the same transaction."""
        return await in_database(partial(self._in_effect, True, partial(function, *args, **kwargs)))

    def _in_effect(self, complete: bool, function: Callable[[], T]) -> T:
        with self.effect(complete=complete):
            return function()

    async def in_process(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run CPU work in another process. Function, arguments and result are pickled.

        Raises BrokenProcessPool when that process died, and what `function` raises.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool(), partial(function, *args, **kwargs))
