"""Embedding as a job: after each change of a memory's text, and once in a while for what is left.

The second finds what a new version of the model has not seen yet.
"""

import asyncio

from django.conf import settings

from chat.models import Memory, MemoryStatus
from chat.search import client, pgvector
from chat.search.client import EmbedderAway
from chat.search.companion import installed
from chat.search.embedding import forget_stale, pending, store
from realtime.database import in_database
from realtime.jobs import JobContext, RetryLater, job, periodic
from realtime.log.writing import call_together

SWEEP_S = 300.0
_AWAY_S = 5.0  # what an embedder takes to be started again


@job(name="chat.embed_memories", priority=-10, max_attempts=30, timeout_s=3600)
async def embed_memories(context: JobContext, project: int | None = None) -> None:
    """Embed what is pending in the project, or anywhere. Done again it finds nothing to do."""
    try:
        model, version = await asyncio.to_thread(client.identity)
        while not context.cancel_requested.is_set():
            batch = await in_database(pending, model, version, project)
            if not batch:
                return
            found = await asyncio.to_thread(client.embed, [one.text for one in batch])
            await in_database(store, batch, found)
    except EmbedderAway as error:
        raise RetryLater(error.message, after_s=_AWAY_S * context.attempt) from error


@periodic(every_s=SWEEP_S, name="chat.sweep_vectors")
async def sweep_vectors(context: JobContext) -> None:
    """What no change announces: a new version of the model, rows of a restored backup."""
    del context
    if await in_database(pgvector.present):
        await in_database(pgvector.complete)
    if await asyncio.to_thread(client.ready):
        model, version = await asyncio.to_thread(client.identity)
        if await in_database(pending, model, version, None, 1):
            await embed_memories.using(unique_key="chat.embed").aenqueue()


def embed_when_changed(memory: Memory) -> None:
    """In the transaction that stored the memory: its vector is made after the commit.

    A proposal has none: it is embedded when it is accepted.
    """
    if memory.status == MemoryStatus.KEPT:
        call_together(_embed_later, memory)


def _embed_later(memories: list[Memory]) -> None:
    bare = forget_stale(memories)
    if settings.PM.embedder and installed():
        for project in sorted({memory.project_id for memory in bare}):
            key = f"chat.embed.{project}"
            embed_memories.using(unique_key=key).enqueue(project=project)
