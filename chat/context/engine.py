"""The job that follows a conversation: each new message is analysed, one after another.

    messages that were not analysed ─> steps, with signals ─> one transaction: events, how far it is

A project is looked after by one job at a time in a worker; one that comes meanwhile hands over.
"""

import asyncio
import logging
import time
from typing import Any
from weakref import WeakKeyDictionary

from django.utils import timezone

from chat.actions.context import keep_findings
from chat.context.analysis import STEPS
from chat.context.findings import Findings, Step, StepError, Trouble
from chat.queries.context import Unanalysed, unanalysed
from realtime.database import in_database
from realtime.jobs import JobContext
from realtime.log.signalling import signal
from realtime.protocol.errors import Unavailable

# So often a job is begun again for a database that is away, before a step is given up.
PATIENT_ATTEMPTS = 3
# Messages that a worker analyses at a time. Each keeps a thread computing; what is more would only
# take turns with them, and with the answers that people watch.
AT_A_TIME = 2

logger = logging.getLogger(__name__)

# Projects that a job of this process looks after, and whether another one came meanwhile.
_looked_after: dict[int, bool] = {}
_places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def follow(context: JobContext, project_id: int) -> None:
    """Analyse what is new, until nothing is. Raises LeaseLost, Unavailable."""
    if project_id in _looked_after:
        # Safe to end: the other one's job is not done before it has looked once more.
        _looked_after[project_id] = True
        return
    _looked_after[project_id] = True
    try:
        while _looked_after[project_id] and not context.cancel_requested.is_set():
            _looked_after[project_id] = False
            for message in await context.fenced(unanalysed, project_id):
                if context.cancel_requested.is_set():
                    return
                async with _places.setdefault(
                    asyncio.get_running_loop(), asyncio.Semaphore(AT_A_TIME)
                ):
                    await _analyse(context, message)
                _looked_after[project_id] = True  # others may have come while this took its time
    finally:
        del _looked_after[project_id]


async def _analyse(context: JobContext, message: Unanalysed) -> None:
    waited_s = (timezone.now() - context.enqueued_at).total_seconds()
    found = Findings(message.id, message.project, message.body)
    found.timings_ms["queue"] = max(0, round(waited_s * 1000))
    for done, step in enumerate(STEPS):
        _tell_progress(message, step, done)
        started = time.perf_counter()
        error = await _step(context, step, found)
        found.timings_ms[step.value] = round((time.perf_counter() - started) * 1000)
        if error is not None:
            found.errors.append(error)
        _tell_found(message, step, found)
    await context.fenced(keep_findings, found)


async def _step(context: JobContext, step: Step, found: Findings) -> StepError | None:
    """A named top-level loop's body: a step that fails costs the others nothing."""
    try:
        await in_database(STEPS[step], found)
    except Unavailable:
        if context.attempt < PATIENT_ATTEMPTS:
            raise
        return StepError(step, Trouble.UNAVAILABLE)
    except Exception:
        logger.exception("context not analysed message=%d step=%s", found.message, step.value)
        return StepError(step, Trouble.INTERNAL)
    return None


def _tell_progress(message: Unanalysed, step: Step, done: int) -> None:
    data = {"message": message.id, "step": step.value, "done": done, "total": len(STEPS)}
    _tell(message, "context_analysis_progress", data)
    if step is Step.MEMORIES:
        data = {"message": message.id, "step": "searching", "done": 0, "total": 1}
        _tell(message, "memory_retrieval_progress", data)


def _tell_found(message: Unanalysed, step: Step, found: Findings) -> None:
    if step is Step.TERMS and found.terms:
        _tell(message, "key_terms_extracted", {"message": message.id, "terms": found.terms})
    if step is Step.MEMORIES and found.mode is not None:
        data = {"message": message.id, "step": found.mode.value, "done": 1, "total": 1}
        _tell(message, "memory_retrieval_progress", data)


def _tell(message: Unanalysed, name: str, data: dict[str, Any]) -> None:
    """Never waits."""
    signal(message.stream, name, data, after=message.head)
