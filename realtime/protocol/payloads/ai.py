"""A run of the AI: one growing message."""

from typing import Literal

from realtime.protocol.payloads.chat import Message
from realtime.protocol.payloads.shape import Id, Shape, Text

RunEnd = Literal["completed", "cancelled", "failed", "interrupted"]
RunState = Literal["queued", "running", "completed", "cancelled", "failed", "interrupted"]
RunErrorCode = Literal["timeout", "refused", "rate_limited", "unavailable", "bad_answer"]


class Run(Shape):
    """`message` is the answer, `question` the message that it answers."""

    id: Id
    project: Id
    question: Id
    message: Id
    state: RunState
    generation: int


class RunStarted(Shape):
    run: Id
    message: Id
    generation: int


class RunProgress(Shape):
    """`offset` counts Unicode code points of the whole text."""

    run: Id
    generation: int
    offset: int
    delta: str


class Source(Shape):
    """What the answer cites, in the order of its first citations."""

    kind: Literal["memory", "message"]
    id: Id
    title: Text


class ResponseGenerated(Shape):
    """The answer as stored, whole."""

    run: Id
    message: Message
    sources: list[Source] = []


class RunEnded(Shape):
    run: Id
    state: RunEnd


class RunError(Shape):
    """Why an attempt ended; with `will_retry` another one follows by itself."""

    run: Id
    generation: int
    code: RunErrorCode
    message: str
    will_retry: bool
    retry_after_ms: int | None = None
