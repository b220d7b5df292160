"""Memories of a project and the context that is made of them."""

from typing import Literal

from realtime.protocol.payloads.shape import Id, Moment, Shape, Text

MemoryKind = Literal["fact", "decision", "issue", "task", "note"]


class Memory(Shape):
    id: Id
    project: Id
    kind: MemoryKind
    title: Text
    body: Text
    importance: float
    pinned: bool
    reference: str | None
    depends_on: list[Id]
    expires_at: Moment | None
    created_at: Moment
    updated_at: Moment


class MemoryChanged(Shape):
    memory: Memory


class MemoryGone(Shape):
    memory: Id


class RelevanceChanged(Shape):
    memory: Id
    importance: float


class DependencyUpdated(Shape):
    """What `memory` now depends on, whole."""

    memory: Id
    depends_on: list[Id]


class SimilarIssue(Shape):
    memory: Id
    title: Text
    score: float


class SimilarIssues(Shape):
    message: Id
    issues: list[SimilarIssue]


class ContextComplete(Shape):
    message: Id
    memories: list[Id]


class ContextSummary(Shape):
    project: Id
    summary: Text


class ContextProgress(Shape):
    message: Id
    step: str
    done: int
    total: int


class KeyTerms(Shape):
    message: Id
    terms: list[str]
