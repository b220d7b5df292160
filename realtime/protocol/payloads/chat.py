"""Messages and what happens to them."""

from typing import Literal

from realtime.protocol.payloads.shape import Body, ClientRef, Id, Moment, Person, Seq, Shape, Text


class Message(Shape):
    """A message, whole. A deleted one keeps its place with an empty body."""

    id: Id
    project: Id
    session: Id
    kind: Literal["user", "ai", "system"]
    author: Person | None
    body: Text
    client_ref: ClientRef | None
    reply_to: Id | None
    created_at: Moment
    edited_at: Moment | None
    deleted: bool


class MessageChanged(Shape):
    """`queued_run` where the change is that the AI is asked: the run that will answer in it."""

    message: Message
    queued_run: Id | None = None


class MessageDeleted(Shape):
    """`message` is the id: its text is gone from here and from every earlier event."""

    message: Id
    deleted_at: Moment


class Timings(Shape):
    """Milliseconds since the run was queued: its start, the answer's first piece, its end."""

    queue: int
    first_token: int | None
    total: int


class MessageProcessed(Shape):
    """`message` is the question; the answer has just been stored."""

    message: Id
    run: Id | None = None
    timings_ms: Timings | None = None


class MessageRead(Shape):
    """Read cursors that moved: the highest seq that each person (by id, as text) has read."""

    reads: dict[str, Seq]


class ChatStatus(Shape):
    """A conversation, and what the AI does in it."""

    session: Id
    title: str
    closed: bool
    status: Literal["idle", "queued", "thinking", "writing"]


class Typing(Shape):
    user: Person


class TypingList(Shape):
    users: list[Person]


class SentBody(Shape):
    """Only for validation of what a client writes."""

    body: Body
