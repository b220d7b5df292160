"""One claimed job, from its start to what its end is called."""

import asyncio
import logging
import traceback
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum, auto

from realtime.jobs.context import GiveUp, JobContext, LeaseLost, RetryLater
from realtime.jobs.declaring import declared_job
from realtime.jobs.ending import Failure, Held
from realtime.models.job import Job
from realtime.tracing.correlation import Correlation, parsed
from realtime.tracing.spans import causing

CANCEL_WITHIN_S = 10.0

logger = logging.getLogger(__name__)


class End(Enum):
    DONE = auto()
    COMPLETED = auto()  # by an effect of its own: nothing is left to write
    CANCELLED = auto()
    FAILED = auto()
    LOST = auto()  # another worker's now
    STOPPED = auto()  # by a worker that stops: to be handed back


@dataclass(eq=False)
class Claim:
    """A row in this worker's hands. `lost` and `stopped` say why its task was cancelled; `ended`
    is set when only its end is left to be written."""

    row: Job
    context: JobContext
    task: asyncio.Task[None] | None = None
    lost: bool = False
    stopped: bool = False
    ended: bool = False
    failure: Failure | None = field(default=None, init=False)

    @classmethod
    def of(cls, row: Job, pool: Callable[[], Executor]) -> "Claim":
        claim = cls(
            row, JobContext(row.pk, row.attempt, row.token, row.enqueued_at, pool, row.priority)
        )
        if row.cancel_requested:
            claim.ask_to_end()  # of an earlier claim, whose worker died or failed before it ended
        return claim

    @property
    def held(self) -> Held:
        return Held(self.row.pk, self.row.token)

    def for_its_cause(self) -> AbstractContextManager[Correlation]:
        """Inside, log lines and what is written bear the id of what enqueued the job."""
        given = parsed(self.row.correlation)
        return causing(
            f"job {self.row.name}",
            given and given.id,
            made=f"job.{self.row.pk}.{self.row.attempt}",
            parent=given and given.parent,
            attributes={"job": self.row.pk, "attempt": self.row.attempt},
        )

    def ask_to_end(self) -> None:
        """Somebody cancelled the job; its task is cancelled if it takes too long to wind up."""
        if not self.context.cancel_requested.is_set():
            self.context.cancel_requested.set()
            self._limit_wind_up()

    def _limit_wind_up(self) -> None:
        if self.task is not None:
            self.task.get_loop().call_later(CANCEL_WITHIN_S, self.task.cancel)

    def lose(self) -> None:
        """Another worker has it."""
        self.lost = True
        if self.task is not None:
            self.task.cancel()

    def stop(self) -> None:
        """This worker stops."""
        self.stopped = True
        if self.task is not None:
            self.task.cancel()

    async def run(self) -> End:
        """Run it to its end; nothing is raised. With FAILED, `failure` says why.

        A named top-level call: whatever a job raises is its failure, never the worker's.
        """
        end = await self._outcome()
        self.ended = True
        return end

    async def _outcome(self) -> End:
        if self.lost or self.stopped:
            return self._cancelled()
        # A task of its own: one that is cancelled before its first step would not even end here.
        self.task = asyncio.ensure_future(self._call())
        if self.context.cancel_requested.is_set():
            self._limit_wind_up()  # it was asked before it began
        try:
            await self.task
        except LeaseLost:
            return End.LOST
        except asyncio.CancelledError:
            return self._cancelled()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - see above
            return self._failed(error)
        if self.context.completed:
            return End.COMPLETED
        return End.CANCELLED if self.context.cancel_requested.is_set() else End.DONE

    async def _call(self) -> None:
        declared = declared_job(self.row.name)
        if declared is None:
            raise LookupError(f"expected a job that this program declares, got {self.row.name!r}")
        async with asyncio.timeout(declared.timeout_s):
            await declared.func(self.context, **self.row.arguments)

    def _cancelled(self) -> End:
        if self.lost:
            return End.LOST
        if self.context.cancel_requested.is_set():
            return End.CANCELLED
        if self.stopped:
            return End.STOPPED
        return self._failed(asyncio.CancelledError("the job cancelled itself"))

    def _failed(self, error: BaseException) -> End:
        if self.lost:
            return End.LOST
        if self.context.completed:
            logger.warning("job raised after its end job=%s error=%r", self.row, error)
            return End.COMPLETED
        if self.context.cancel_requested.is_set():
            return End.CANCELLED
        kind = type(error)
        self.failure = Failure(
            f"{kind.__module__}.{kind.__qualname__}",
            "".join(traceback.format_exception(error)),
            error.after_s if isinstance(error, RetryLater) else None,
            isinstance(error, GiveUp),
        )
        return End.FAILED
