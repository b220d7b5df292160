"""A run of the AI: one growing message."""

from typing import Literal

from realtime.protocol.payloads.chat import Message
from realtime.protocol.payloads.shape import Id, Shape

RunEnd = Literal["completed", "cancelled", "failed", "interrupted"]


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


class ResponseGenerated(Shape):
    run: Id
    message: Message


class RunEnded(Shape):
    run: Id
    state: RunEnd


class RunError(Shape):
    run: Id
    code: str
    message: str
