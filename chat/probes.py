"""How the parts that chat rests on are looked at: the AI's provider and the memory store."""

import asyncio
import time
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from chat.conf import options
from chat.models import AiRun, Memory, MemoryVector
from chat.models.run import RunState
from chat.search import client
from chat.search.companion import installed
from realtime.components import (
    Component,
    Finding,
    Look,
    Measure,
    Scope,
    State,
    register_component,
)
from realtime.database import in_database

RUNS = 50  # the newest ones tell how the provider does
RECENT = timedelta(minutes=5)
FEW = 3  # runs, of which one failure says nothing
HALF_PERCENT = 50.0
REACH_LIMIT_S = 2.0
MISSING_EVERY_S = 60.0


def recent_runs() -> dict[str, float]:
    """How the newest runs ended, and how soon they began to answer."""
    rows = AiRun.objects.order_by("-pk").values_list(
        "state", "started_at", "first_piece_at", "ended_at"
    )
    since = timezone.now() - RECENT
    ended = [row for row in rows[:RUNS] if row[3] is not None and row[3] >= since]
    failed = sum(row[0] == RunState.FAILED for row in ended)
    waits = [(row[2] - row[1]).total_seconds() * 1000 for row in ended if row[1] and row[2]]
    values = {"runs": float(len(ended)), "failed": float(failed)}
    if ended:
        values["error_percent"] = failed / len(ended) * 100
    if waits:
        values["first_token_ms"] = sum(waits) / len(waits)
    return values


def provider_address() -> tuple[str, int] | None:
    """Where the provider listens, if AI_BASE_URL says so: connecting to it spends no tokens."""
    given = options()
    if given.ai_model == "extractive" or given.ai_base_url is None:
        return None
    parts = urlsplit(given.ai_base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return (parts.hostname, port) if parts.hostname else None


async def _reached(address: tuple[str, int]) -> float:
    """Milliseconds. Raises OSError, TimeoutError."""
    began = time.perf_counter()
    async with asyncio.timeout(REACH_LIMIT_S):
        _, writer = await asyncio.open_connection(*address)
    writer.close()
    return (time.perf_counter() - began) * 1000


async def look_at_ai() -> Finding:
    values: dict[str, float] = {}
    address = provider_address()
    if address is not None:
        try:
            values["connect_ms"] = await _reached(address)
        except (OSError, TimeoutError) as error:
            return Finding(State.DOWN, f"no connection to the provider: {type(error).__name__}")
    values |= await in_database(recent_runs)
    if values["runs"] < FEW or values["error_percent"] < HALF_PERCENT:
        return Finding(State.OK, "", values)
    text = f"{values['failed']:.0f} of {values['runs']:.0f} runs of the last 5 minutes failed"
    without_answer = address is None and values["failed"] == values["runs"]
    return Finding(State.DOWN if without_answer else State.DEGRADED, text, values)


def vectors_missing() -> float:
    seen = MemoryVector.objects.filter(memory_id=OuterRef("pk"))
    return float(Memory.objects.filter(~Exists(seen)).count())


def memory_store(node: object) -> Look:
    missing, counted_at = 0.0, 0.0

    async def look() -> Finding | None:
        nonlocal missing, counted_at
        if not settings.PM.embedder or not installed():
            return None
        began = time.perf_counter()
        answers = await asyncio.to_thread(client.ready)
        values: dict[str, float] = {}
        if answers:
            values["answer_ms"] = (time.perf_counter() - began) * 1000
        if began >= counted_at + MISSING_EVERY_S or not counted_at or missing:
            missing, counted_at = await in_database(vectors_missing), began
        values["vectors_missing"] = missing
        if not answers:
            return Finding(State.DOWN, "no embedder: memories are found by their words", values)
        return Finding(State.OK, "", values)

    return look


def ai(node: object) -> Look:
    return look_at_ai


_AI = Component(
    name="ai",
    label="AI provider",
    scope=Scope.SYSTEM,
    every_s=5.0,
    limit_s=9.0,
    meaning={
        State.DEGRADED: "half of the runs of the last 5 minutes failed",
        State.DOWN: "no connection to AI_BASE_URL, or, without one, all of those runs failed",
    },
    measures=(
        Measure("connect_ms", "ms", "connecting to AI_BASE_URL"),
        Measure("runs", "", "runs that ended within 5 minutes, of the newest 50"),
        Measure("failed", "", "of them, those that failed"),
        Measure("error_percent", "percent", "of them, those that failed"),
        Measure("first_token_ms", "ms", "from the start of a run to its first piece, on average"),
    ),
    probe=ai,
)
_MEMORY_STORE = Component(
    name="memory_store",
    label="Memory store",
    scope=Scope.SYSTEM,
    every_s=5.0,
    limit_s=9.0,
    meaning={
        State.DEGRADED: "never: how many vectors may be missing is a rule's business",
        State.DOWN: "the embedder of the machine does not answer: keywords are searched instead",
    },
    measures=(
        Measure("answer_ms", "ms", "an answer of the embedder"),
        Measure("vectors_missing", "", "memories without a vector, counted once a minute"),
    ),
    probe=memory_store,
)


def register_probes() -> None:
    for component in (_AI, _MEMORY_STORE):
        register_component(component)
