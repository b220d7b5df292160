"""One run from its claim to its end: the job behind it.

    claimed ─> a place ─> start ─> attempts ─> end, in one transaction with the job's completion
                            │         └─ provider's pieces ─> the desk ─> signals and checkpoints
                            └─ nothing to do: cancelled, interrupted, or gone

The provider's stream is closed in every case before the end is written.
"""

import asyncio
import logging
import random
import re
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from django.utils import timezone

from chat.actions.answering import Failure, Outcome, Started, end_run, start_run, tell_failure
from chat.ai.citations import sources_of
from chat.ai.desk import LiveRun
from chat.ai.metrics import count_run
from chat.ai.office import Office
from chat.ai.prompt import question_of
from chat.ai.providers.protocol import Delta, Done, Error, Pieces, Question, Trouble, Usage
from chat.models import RunState
from realtime.database import in_database
from realtime.jobs import JobContext
from realtime.protocol.errors import Unavailable

T = TypeVar("T")

ATTEMPTS = 3
BACKOFF_S = 1.0
LONGEST_WAIT_S = 60.0  # a provider that wants more is not waited for
# With what JSON makes of it the answer's frame stays below 128 KiB, whatever the script.
LONGEST_ANSWER = 30_000
DATABASE_PATIENCE = 30  # tries, a second apart: so long a database may be away at a run's end
# Of C0 and C1 only tab and line feed are text; lone surrogates have no UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Heard:
    """What the provider said beside its text, or that somebody stopped it."""

    usage: Usage | None = None
    error: Error | None = None
    stopped: bool = False


async def carry_out(context: JobContext, run_id: int, office: Office) -> None:
    """Raises LeaseLost, Unavailable."""
    async with office.places:
        start = partial(context.fenced, start_run, run_id, context.id, context.attempt)
        started = await _patiently(start)
        if started is None:
            return
        logger.info("run started run=%d generation=%d", started.run, started.generation)
        began = timezone.now()
        live = office.desk.open(started)
        try:
            heard = await _attempts(context, started, live, office)
        finally:
            office.desk.close(live)
        if not live.ours:
            return  # ended by somebody else, or another generation has begun
        outcome = await _outcome(started, live, heard, office)
        await _patiently(partial(context.complete, end_run, started, outcome))
    first = outcome.first_piece_at
    count_run(
        outcome,
        first_piece_s=(first - began).total_seconds() if first is not None else None,
        whole_s=(timezone.now() - began).total_seconds(),
    )
    logger.info(
        "run ended run=%d generation=%d state=%s characters=%d trouble=%s",
        started.run,
        started.generation,
        outcome.state.value,
        len(outcome.text),
        heard.error.trouble.value if heard.error else "none",
    )


async def _attempts(context: JobContext, started: Started, live: LiveRun, office: Office) -> _Heard:
    """Ask until there is an answer, or one that stays away. What was said once is not asked again:
    two answers in one text would be neither."""
    question = await _patiently(partial(in_database, question_of, started, office.retrieval))
    question = office.with_tools(question, started)
    for attempt in range(1, ATTEMPTS + 1):
        heard = await _stoppable(context, live, _listen(office, question, live))
        if heard is None:
            return _Heard(stopped=True)
        error = heard.error
        office.note(error)
        wait_s = _pause_s(error, attempt)
        if wait_s is None or live.text.text or error is None:
            return heard
        failure = Failure(error.trouble.value, error.message, retry_after_s=wait_s)
        if not await _patiently(partial(context.fenced, tell_failure, started, failure)):
            live.ours = False
            return heard
        if await _stoppable(context, live, asyncio.sleep(wait_s, _Heard())) is None:
            return _Heard(stopped=True)
    raise AssertionError("unreachable: the last attempt has no pause")


def _pause_s(error: Error | None, attempt: int) -> float | None:
    """How long to wait for another attempt; None where there is to be none."""
    if error is None or not error.temporary or attempt >= ATTEMPTS:
        return None
    wanted_s = error.retry_after_s
    if wanted_s is not None:
        return wanted_s if wanted_s <= LONGEST_WAIT_S else None
    return BACKOFF_S * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.0)


async def _listen(office: Office, question: Question, live: LiveRun) -> _Heard:
    """Take the pieces of one attempt. The stream is closed when this returns or is cancelled."""
    heard = _Heard()
    pieces: Pieces = office.provider.answer(question)
    async with aclosing(pieces):
        async for piece in pieces:
            match piece:
                case Delta(text):
                    live.add(_UNPRINTABLE.sub("", text)[: LONGEST_ANSWER - len(live.text.text)])
                    if len(live.text.text) >= LONGEST_ANSWER:
                        heard.error = Error(
                            Trouble.BAD_ANSWER,
                            f"expected an answer of at most {LONGEST_ANSWER} characters, got more",
                        )
                        return heard
                case Usage():
                    heard.usage = piece
                case Error():
                    heard.error = piece
                    return heard
                case Done():
                    break
    if not live.text.text.strip():
        heard.error = Error(Trouble.BAD_ANSWER, "expected an answer, got an empty one")
    return heard


async def _stoppable(context: JobContext, live: LiveRun, work: Awaitable[T]) -> T | None:
    """What `work` gives, or None when the run is to end first; it is cancelled then, and over when
    this returns."""
    task = asyncio.ensure_future(work)
    stops = [
        asyncio.ensure_future(context.cancel_requested.wait()),
        asyncio.ensure_future(live.stop.wait()),
    ]
    try:
        await asyncio.wait([task, *stops], return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (task, *stops):
            one.cancel()
        await asyncio.gather(task, *stops, return_exceptions=True)


async def _outcome(started: Started, live: LiveRun, heard: _Heard, office: Office) -> Outcome:
    error = heard.error
    if heard.stopped:
        state = RunState.CANCELLED
    else:
        state = RunState.COMPLETED if error is None else RunState.FAILED
    text = live.text.text
    sources = await _patiently(partial(in_database, sources_of, started.project, text))
    return Outcome(
        state,
        text,
        first_piece_at=live.text.first_piece_at,
        sources=sources,
        model=office.provider.name,
        input_tokens=heard.usage.input_tokens if heard.usage else None,
        output_tokens=heard.usage.output_tokens if heard.usage else None,
        failure=Failure(error.trouble.value, error.message) if error is not None else None,
    )


async def _patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Try again while the database is away or busy: an answer is not thrown away for that.

    Raises LeaseLost, Unavailable.
    """
    for _ in range(DATABASE_PATIENCE):
        try:
            return await work()
        except Unavailable as error:
            logger.warning("run waits for the database: %s", error.message)
            await asyncio.sleep(1)
    return await work()
