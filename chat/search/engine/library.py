"""Indexes of the projects that were asked for last, compared with the database at every question.

Asked in one thread. Which project a question may see is the caller's business: here every query
names one.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from django.db.models import Count, Max, QuerySet

from chat.models import MemoryVector
from chat.search import pgvector
from chat.search.engine.freeing import give_memory_back
from chat.search.engine.index import VectorIndex
from chat.search.engine.model import MODEL, VERSION, Floats
from chat.search.engine.segment import Entry

MAX_BYTES = 96 * 2**20  # of all indexes; the one that was asked for longest ago goes first
MAX_MEMORIES = 40_000  # of one project: the newest; others are found by no search
_CHUNK = 500
_MAX_MISSING = 500  # read one by one; more are no news but another index

logger = logging.getLogger(__name__)

Mark = tuple[int, int]


class InDatabase:
    """A project's vectors in pgvector, of the present model."""

    def __init__(self, project: int) -> None:
        self._project = project

    def best(self, vector: Floats, most: int) -> list[tuple[int, float]]:
        return pgvector.nearest(self._project, MODEL, VERSION, vector.tolist(), most)

    def of(self, vector: Floats, rows: Sequence[int]) -> list[tuple[int, float]]:
        return pgvector.similarities(self._project, vector.tolist(), rows) if rows else []


class Library:
    def __init__(self, caps: Floats, max_bytes: int = MAX_BYTES) -> None:
        self._caps = caps  # see VectorIndex
        self._max_bytes = max_bytes
        self._indexes: OrderedDict[int, tuple[Mark, VectorIndex]] = OrderedDict()

    def index_of(self, project: int) -> VectorIndex:
        """The project's index as its rows are now: rows are made and deleted, never changed."""
        now = _mark(project)
        mark, index = self._indexes.pop(project, ((0, 0), VectorIndex(self._caps)))
        if now != mark:
            index = self._refreshed(project, index, mark, now)
        self._indexes[project] = (now, index)
        self._make_room()
        return index

    def _make_room(self) -> None:
        total = sum(index.size_bytes for _, index in self._indexes.values())
        while total > self._max_bytes and len(self._indexes) > 1:
            _, (_, index) = self._indexes.popitem(last=False)
            total -= index.size_bytes

    def _refreshed(self, project: int, index: VectorIndex, mark: Mark, now: Mark) -> VectorIndex:
        if not len(index):
            return self._loaded(project)
        # Nearly always: something was added. Whatever else happened shows in the count.
        index.add(list(_entries(_current(project).filter(pk__gt=mark[1]).order_by("-pk"))))
        if len(index) != min(now[0], MAX_MEMORIES):
            rows = set(
                _current(project).order_by("-pk").values_list("pk", flat=True)[:MAX_MEMORIES]
            )
            index.remove(index.rows() - rows)
            if missing := sorted(rows - index.rows()):
                if len(missing) > _MAX_MISSING:
                    return self._loaded(project)
                index.add(list(_entries(_current(project).filter(pk__in=missing))))
        return self._loaded(project) if index.crowded else index

    def _loaded(self, project: int) -> VectorIndex:
        rows = _current(project).order_by("-pk")
        most = min(rows.count(), MAX_MEMORIES)  # what came since is added at the next question
        # What a worker stores after this question has its vector here, in the index's tail.
        nearest = InDatabase(project) if pgvector.covers(project) else None
        entries = _entries(rows, vectors=nearest is None)
        index = VectorIndex(self._caps, entries, most, nearest)
        give_memory_back()
        logger.info(
            "index loaded project=%d memories=%d bytes=%d pgvector=%s",
            project,
            len(index),
            index.size_bytes,
            nearest is not None,
        )
        return index


def _current(project: int) -> QuerySet[MemoryVector]:
    return MemoryVector.objects.filter(project_id=project, model=MODEL, version=VERSION)


def _mark(project: int) -> Mark:
    found = _current(project).aggregate(count=Count("pk"), last=Max("pk"))
    return found["count"], found["last"] or 0


def _entries(rows: QuerySet[MemoryVector], *, vectors: bool = True) -> Iterator[Entry]:
    columns = ("pk", "memory_id", "pieces", *(("vector",) if vectors else ()))
    for pk, memory, pieces, *vector in rows.values_list(*columns)[:MAX_MEMORIES].iterator(_CHUNK):
        yield Entry(pk, memory, bytes(vector[0]) if vector else b"", bytes(pieces))
