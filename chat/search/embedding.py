"""Giving memories their vectors: what has none, or one of another model, is embedded.

A vector is dropped with the text that it was made of (`forget_stale`), in the same transaction, so
what is pending shows in the rows themselves and any number of workers may look.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef

from chat.models import Memory, MemoryVector
from chat.search import client, pgvector
from chat.search.client import Embeddings
from chat.search.wire import MAX_TEXT_CHARS
from realtime.retrying import retried

BATCH = 8  # texts of one question to the embedder: about a third of a second

_TOGETHER = 5_000  # ids of one query


@dataclass(frozen=True, slots=True)
class Pending:
    memory: int
    text: str


def text_of(memory: Memory) -> str:
    """What is embedded of a memory. Anything else about it may change without a new vector."""
    return f"{memory.title}\n{memory.body}"[:MAX_TEXT_CHARS]


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def forget_stale(memories: Sequence[Memory]) -> list[Memory]:
    """Drop the vectors of earlier texts; those of the memories that have none now.

    In the transaction that changed them: search never finds a memory by what it no longer says.
    """
    bare: list[Memory] = []
    for begin in range(0, len(memories), _TOGETHER):
        rows = {row.pk: row for row in memories[begin : begin + _TOGETHER]}
        hashes = dict(
            MemoryVector.objects.filter(memory_id__in=rows).values_list("memory_id", "text_hash")
        )
        fresh = {key for key, known in hashes.items() if known == hash_of(text_of(rows[key]))}
        if stale := hashes.keys() - fresh:
            MemoryVector.objects.filter(memory_id__in=stale).delete()
        bare += [row for key, row in rows.items() if key not in fresh]
    return bare


def pending(
    model: str, version: str, project_id: int | None = None, limit: int = BATCH
) -> list[Pending]:
    """The first `limit` memories, oldest first, that are kept and that this model has not seen."""
    seen = MemoryVector.objects.filter(memory_id=OuterRef("pk"), model=model, version=version)
    rows = Memory.objects.kept().filter(~Exists(seen)).order_by("pk")
    if project_id is not None:
        rows = rows.filter(project_id=project_id)
    return [Pending(row.pk, text_of(row)) for row in rows.only("title", "body")[:limit]]


@retried
@transaction.atomic
def store(batch: Sequence[Pending], found: Embeddings) -> int:
    """Write the vectors of those that still say the same; how many. Raises Unavailable."""
    rows = Memory.objects.select_for_update().filter(pk__in=[one.memory for one in batch])
    # The lock is held to the commit: nobody changes or deletes them under our feet.
    present = {row.pk: row for row in rows.order_by("pk")}
    made = [
        MemoryVector(
            memory_id=one.memory,
            project_id=present[one.memory].project_id,
            model=found.model,
            version=found.version,
            text_hash=hash_of(one.text),
            vector=item.vector,
            pieces=item.pieces,
            words=item.words,
        )
        for one, item in zip(batch, found.items, strict=True)
        if one.memory in present and text_of(present[one.memory]) == one.text
    ]
    MemoryVector.objects.filter(memory_id__in=[row.memory_id for row in made]).delete()
    MemoryVector.objects.bulk_create(made)
    if pgvector.present():
        pgvector.write(made)
    return len(made)


def embed_pending(project_id: int | None = None, limit: int | None = None) -> int:
    """Embed what is pending, of one project or of all, at most `limit`; how many were.

    For commands; jobs do the same step by step. Raises EmbedderAway, Unavailable.
    """
    model, version = client.identity()
    done = 0
    while limit is None or done < limit:
        most = BATCH if limit is None else min(BATCH, limit - done)
        batch = pending(model, version, project_id, most)
        if not batch:
            break
        done += store(batch, client.embed([one.text for one in batch]))
    return done
