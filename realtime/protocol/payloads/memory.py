"""Memories of a project and the context that is made of them."""

from typing import Literal

from realtime.protocol.payloads.shape import Id, Moment, Shape, Text

MemoryKind = Literal["fact", "decision", "issue", "task", "note", "risk"]
Relevance = Literal["high", "medium", "low"]
MemoryStatus = Literal["proposed", "kept"]


class MemorySource(Shape):
    """What a memory was taken from; the message may be gone since."""

    message: Id


class Memory(Shape):
    """`proposed` until a member accepts it; `source` where it was taken from what somebody said.

    `expiring` from a day before `expires_at`; at that moment it goes, with `memory_expired`."""

    id: Id
    project: Id
    kind: MemoryKind
    title: Text
    body: Text
    importance: float
    relevance: Relevance = "high"
    pinned: bool
    status: MemoryStatus = "kept"
    source: MemorySource | None = None
    reference: str | None
    depends_on: list[Id]
    expires_at: Moment | None
    expiring: bool = False
    created_at: Moment
    updated_at: Moment


class MemoryChanged(Shape):
    memory: Memory


class MemoryGone(Shape):
    memory: Id


class RelevanceChanged(Shape):
    """`relevance` fades with time and comes back with use; `importance` stays as people set it."""

    memory: Id
    importance: float
    relevance: Relevance


class DependencyUpdated(Shape):
    """What `memory` now depends on, whole.

    because: a memory that changed or went, on which `memory` rests directly or by others; None
    where only the list changed
    """

    memory: Id
    depends_on: list[Id]
    because: Id | None = None


class RelevantMemory(Shape):
    """`score` is from 0 to 1, `why` a short text for people."""

    memory: Id
    title: Text
    score: float
    why: Text


class SimilarIssues(Shape):
    """Issues that are like the message, best first; there is at least one."""

    message: Id
    issues: list[RelevantMemory]


ContextStep = Literal["terms", "memories", "issues", "dependencies", "proposals", "summary"]


class ContextError(Shape):
    """A step that found nothing out, although it was tried several times."""

    step: ContextStep
    code: Literal["unavailable", "internal"]


class ContextComplete(Shape):
    """What a message means to the project. `memories` best first; `dependencies` rest on them.

    mode: how they were searched, None where that failed
    timings_ms: of each step; `queue` is what the analysis waited for a worker
    """

    message: Id
    mode: Literal["meaning", "keywords"] | None
    memories: list[RelevantMemory]
    dependencies: list[Id]
    timings_ms: dict[str, int]
    errors: list[ContextError]


class ContextSummary(Shape):
    """The project in a few lines, whole."""

    project: Id
    summary: Text


class ContextProgress(Shape):
    """Of `total` parts `done` are over; `step` is the one that begins."""

    message: Id
    step: str
    done: int
    total: int


class KeyTerms(Shape):
    message: Id
    terms: list[str]
