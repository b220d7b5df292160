"""The worker: one event loop that claims jobs and runs up to `concurrency` of them at a time.

Must be the only one of its process. What it holds is in `_claims`; rows are only written through
`realtime.jobs.ending` and `context`, so a worker that was taken for dead can do no harm.
"""

import asyncio
import logging
import os
import random
import socket
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any

from django.utils.module_loading import autodiscover_modules

from realtime.batching import Batcher
from realtime.database import in_database
from realtime.hub.relay import Relay
from realtime.jobs.claiming import claim
from realtime.jobs.declaring import declared_job
from realtime.jobs.due import bring_due
from realtime.jobs.ending import Held, end_together, fail, hand_back
from realtime.jobs.leases import LeaseKeeper, News
from realtime.jobs.periodic import enqueue_periodic, ensure_periodic_rows
from realtime.jobs.running import Claim, End
from realtime.jobs.waking import attach_local_worker, detach_local_worker
from realtime.metrics.core import JOB_S, JOBS_ENDED
from realtime.models.job import JobState
from realtime.processes import Processes
from realtime.protocol.errors import RealtimeError
from realtime.publisher import HINT_JOBS, JOBS_GROUP
from realtime.registry import backgrounds

POLL_S = 1.0
JITTER = 0.25  # so that the workers of a site do not look together
BATCH = 256  # jobs of one claim, and of one statement that ends them
TICK_S = 1.0
WIND_UP_S = 2.0  # for jobs that a stop cancelled
AGAIN_S = 1.0  # after a failed write of a job's end

logger = logging.getLogger(__name__)


def worker_name() -> str:
    """Unique for every start, and readable in the admin; at most 48 characters."""
    return f"{socket.gethostname()[:28]}.{os.getpid()}.{uuid.uuid4().hex[:8]}"


class Worker:
    """`run` works until `stop`, then drains; `hurry` cuts the drain short."""

    def __init__(self, *, concurrency: int, drain_s: float) -> None:
        self.name = worker_name()
        self._concurrency = concurrency
        self._drain_s = drain_s
        self._claims: dict[int, Claim] = {}
        self._running: set[asyncio.Task[None]] = set()  # the loop itself keeps no task alive
        self._processes = Processes()
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._freed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._failing = False
        self._leases = LeaseKeeper(self.name, self._held, self._hear)
        self._relay = Relay(self._on_hint, lambda _: None, (JOBS_GROUP,))
        self._ends = {
            state: Batcher(partial(_end, state), limit=BATCH, gather_s=0.0)
            for state in (JobState.DONE, JobState.CANCELLED)
        }

    # Life

    def stop(self) -> None:
        """Claim no more; running jobs have the drain's time."""
        self._stopping.set()
        self._wake.set()

    def hurry(self) -> None:
        """Stop, and hand everything back now."""
        self.stop()
        self._hurry.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    async def run(self, on_ready: Callable[[], None] | None = None) -> None:
        """Work until `stop`, then hand back."""
        autodiscover_modules("jobs")
        import_module("realtime.jobs.chores")
        import_module("realtime.broadcasts.jobs")
        import_module("realtime.bans.jobs")
        attach_local_worker(self._hear_locally)
        self._leases.start()
        helpers = [
            asyncio.ensure_future(part)
            for part in (
                self._relay.receive(),
                self._relay.reconcile(),
                self._tick(),
                *backgrounds(None),
            )
        ]
        try:
            if on_ready is not None:
                on_ready()
            await self._work()
            await self._drain()
        finally:
            detach_local_worker()
            self._leases.close()
            self._processes.close()
            for helper in helpers:
                helper.cancel()
            await asyncio.wait(helpers, timeout=WIND_UP_S)

    async def _tick(self) -> None:
        while True:
            self._leases.beat()
            await asyncio.sleep(TICK_S)

    # Claiming

    async def _work(self) -> None:
        """The worker's loop: it goes on whatever the database answers."""
        prepared = False
        look_at = 0.0
        while not self._stopping.is_set():
            self._wake.clear()
            more = False
            try:
                if not prepared:
                    await in_database(ensure_periodic_rows)
                    prepared = True
                if self._loop.time() >= look_at:
                    look_at = self._loop.time() + POLL_S * random.uniform(1 - JITTER, 1 + JITTER)
                    await in_database(_look)
                more = await self._claim()
                self._failing = False
            except RealtimeError as error:
                self._say(error.message)
            except Exception:
                logger.exception("not claimed")
            if not more:
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(0.05, look_at - self._loop.time())):
                        await self._wake.wait()

    async def _claim(self) -> bool:
        """Whether there may be more to claim at once."""
        limit = min(BATCH, self._concurrency - len(self._claims))
        if limit <= 0:
            return False
        rows = await in_database(claim, self.name, limit)
        for row in rows:
            # Another attempt of a job that this worker has lost and not heard of yet.
            if (older := self._claims.get(row.pk)) is not None:
                older.lose()
            claimed = Claim.of(row, self._processes.executor)
            self._claims[row.pk] = claimed
            running = self._loop.create_task(self._run_for_its_cause(claimed))
            self._running.add(running)
            running.add_done_callback(self._running.discard)
        return len(rows) == limit

    def _say(self, message: str) -> None:
        """One line when the database stops answering, not one a second."""
        if not self._failing:
            logger.warning("not claimed: %s", message)
        self._failing = True

    # Running

    async def _run_for_its_cause(self, claimed: Claim) -> None:
        with claimed.for_its_cause():
            await self._run(claimed)

    async def _run(self, claimed: Claim) -> None:
        began = self._loop.time()
        end = await claimed.run()
        JOBS_ENDED.add(_job_label(claimed.row.name), end.name.lower())
        JOB_S.observe(self._loop.time() - began)
        try:
            await self._write(claimed, end)
        finally:
            if self._claims.get(claimed.row.pk) is claimed:
                del self._claims[claimed.row.pk]
            self._freed.set()
            self._wake.set()

    async def _write(self, claimed: Claim, end: End) -> None:
        """Until it is written, or the lease is lost: the job would be run again."""
        while not claimed.lost:
            try:
                await self._write_once(claimed, end)
            except RealtimeError as error:
                self._say(error.message)
                await asyncio.sleep(AGAIN_S)
            else:
                return

    async def _write_once(self, claimed: Claim, end: End) -> None:
        match end:
            case End.DONE:
                await self._ends[JobState.DONE].ask(claimed.held)
            case End.CANCELLED:
                await self._ends[JobState.CANCELLED].ask(claimed.held)
            case End.FAILED if claimed.failure is not None:
                state = await in_database(fail, claimed.held, claimed.failure)
                logger.warning(
                    "job failed id=%d name=%s attempt=%d state=%s error=%s",
                    claimed.row.pk,
                    claimed.row.name,
                    claimed.row.attempt,
                    state,
                    claimed.failure.error_class,
                )
            case End.STOPPED:
                await in_database(hand_back, [claimed.held])
            case _:
                pass  # nothing of ours is left to write

    # News, from other threads and from other processes

    def _held(self) -> Sequence[Held]:
        return [claimed.held for claimed in list(self._claims.values())]

    def _hear(self, news: News) -> None:
        self._loop.call_soon_threadsafe(self._act_on, news)

    def _act_on(self, news: News) -> None:
        for job_id in news.lost:
            # It may have ended while the renewal was under way.
            if (claimed := self._claims.get(job_id)) is not None and not claimed.ended:
                logger.warning("lease lost job=%d", job_id)
                claimed.lose()
        self._cancel(news.cancelled)

    def _hear_locally(self, cancelled: Sequence[int]) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._on_wake, cancelled)

    def _on_hint(self, message: dict[str, Any]) -> None:
        if message.get("type") == HINT_JOBS:
            self._on_wake(message.get("cancelled", ()))

    def _on_wake(self, cancelled: Sequence[int]) -> None:
        self._cancel(cancelled)
        self._wake.set()

    def _cancel(self, job_ids: Sequence[int]) -> None:
        for job_id in job_ids:
            if (claimed := self._claims.get(job_id)) is not None:
                claimed.ask_to_end()

    # Stopping

    async def _drain(self) -> None:
        logger.info("worker stops jobs=%d drain_s=%.1f", len(self._claims), self._drain_s)
        hurrying = asyncio.ensure_future(self._hurry.wait())
        over = asyncio.ensure_future(self._emptied())
        await asyncio.wait(
            {hurrying, over}, timeout=self._drain_s, return_when=asyncio.FIRST_COMPLETED
        )
        for claimed in list(self._claims.values()):
            claimed.stop()
        await asyncio.wait({over}, timeout=WIND_UP_S)
        hurrying.cancel()
        over.cancel()
        left = self._held()
        if left:
            # They swallow their cancellation. Once the rows are back, they can write nothing.
            logger.error("jobs do not stop, handing them back all the same jobs=%d", len(left))
            await in_database(hand_back, left)

    async def _emptied(self) -> None:
        while self._claims:
            self._freed.clear()
            await self._freed.wait()


def _look() -> None:
    bring_due()
    enqueue_periodic()


def _end(state: JobState, held: Sequence[Held]) -> list[None]:
    end_together(held, state)
    return [None] * len(held)


def _job_label(name: str) -> str:
    """Rows may have been written by anybody: what nobody declares is one of them."""
    return name if declared_job(name) is not None else "other"
