"""Subscribe, unsubscribe and history."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pydantic import Field
from pydantic_core import to_json

from realtime.database import in_database
from realtime.hub.stream import HubStream
from realtime.hub.subscription import Subscription
from realtime.log.opening import Opening, read_opening
from realtime.log.reading import PAGE_BYTES, entries_before
from realtime.presence import commands as presence
from realtime.protocol.errors import (
    Forbidden,
    LimitReached,
    NotFound,
    NotSubscribed,
    Unavailable,
)
from realtime.protocol.positions import Position
from realtime.protocol.streams import StreamName
from realtime.sockets import acks
from realtime.sockets.commands import Command, register_command

if TYPE_CHECKING:
    from realtime.sockets.connection import Connection

MAX_SUBSCRIPTIONS = 200
MAX_HISTORY = 200
WAITS_AT_THE_DOOR = 3  # of a stream that others come for, too: strangers may be ahead
OPENING_TRIES = 3  # an epoch changes once in a failover, not again and again


class Since(Command):
    epoch: str = Field(pattern="^[a-z0-9]{1,32}$")
    seq: int = Field(ge=0, le=2**62, strict=True)


class Subscribe(Command):
    stream: str
    since: Since | None = None
    snapshot: bool = Field(default=False, strict=True)


class Unsubscribe(Command):
    stream: str


class History(Command):
    stream: str
    before: int | None = Field(default=None, ge=1, le=2**62, strict=True)
    limit: int = Field(default=50, ge=1, le=MAX_HISTORY, strict=True)


def _read(user: Any, name: StreamName, since: Position | None, *, want_snapshot: bool) -> Opening:
    """As `read_opening`, and synchronous like it. Raises Forbidden."""
    try:
        return read_opening(user, name, since, want_snapshot=want_snapshot)
    except NotFound as error:
        # The same answer for a stream that does not exist and for one that may not be read.
        text = "stream: expected one that you may read, got one that is not yours to read"
        raise Forbidden(text) from error


async def subscribe(connection: "Connection", command: Subscribe) -> bytes:
    name = StreamName.parse(command.stream)
    since = Position(command.since.epoch, command.since.seq) if command.since else None
    if command.stream not in connection.subscriptions:
        room = MAX_SUBSCRIPTIONS - len(connection.subscriptions)
        if room <= 0:
            raise LimitReached(f"expected at most {MAX_SUBSCRIPTIONS} streams, got one more")
    opening, stream = await _opened(connection, name, since, want_snapshot=command.snapshot)
    present = await presence.joined(connection, name)
    if connection.hub.streams.get(str(name)) is not stream or stream.epoch != opening.state.epoch:
        # Closed or reset while presence was asked.
        opening, stream = await _opened(connection, name, since, want_snapshot=command.snapshot)
    # No await from here to the start: what was found holds then.
    state = opening.state
    old = connection.subscriptions.pop(state.name, None)
    if old is not None:
        old.end()
    cursor = since.seq if since is not None and opening.recovered else state.head
    new = Subscription(
        stream, connection, cursor=cursor, authorized_at=state.head, target=state.head
    )
    connection.subscriptions[stream.name] = new
    presence.settle(connection, name)
    acks.opened(new, state.epoch, recovered=opening.recovered is True, snapshot=opening.snapshot)
    data = to_json(_reply(opening, cursor))
    connection.after_reply(new.start)
    return data if present is None else b'%b,"presence":%b}' % (data[:-1], present)


async def _opened(
    connection: "Connection", name: StreamName, since: Position | None, *, want_snapshot: bool
) -> tuple[Opening, HubStream]:
    """From memory where the hub can answer for the database, else from the database.

    Raises Forbidden, Unavailable.
    """
    wants_state = want_snapshot and since is None
    stream = None if wants_state else await _from_memory(connection, str(name), since)
    if stream is not None:
        recovered = None if since is None else True
        return Opening(stream.state, recovered, reason=None, snapshot=None), stream
    with connection.hub.ahead.reading(str(name)):
        opening, stream = await _open(connection, name, since, want_snapshot=want_snapshot)
    stream.admit(connection.user_id, opening.state)
    return opening, stream


async def _open(
    connection: "Connection", name: StreamName, since: Position | None, *, want_snapshot: bool
) -> tuple[Opening, HubStream]:
    """What the log says, and the hub's stream of the same epoch: seqs of two do not compare.

    Raises Forbidden, Unavailable.
    """
    for _ in range(OPENING_TRIES):
        opening = await in_database(
            _read, connection.user, name, since, want_snapshot=want_snapshot
        )
        stream = await connection.hub.open(opening.state.name)
        if stream.epoch == opening.state.epoch:
            return opening, stream
        await connection.hub.recheck(stream)
    raise Unavailable("expected the stream's epoch to hold still, got another each time")


async def _from_memory(
    connection: "Connection", name: str, since: Position | None
) -> HubStream | None:
    """The open stream if it can serve the subscription without a read of its own: its position
    and the right to read are as fresh as the database has them, and looking that up is one read
    for all who ask together. None: ask the database.

    Raises Unavailable.
    """
    hub, user_id = connection.hub, connection.user_id
    for _ in range(WAITS_AT_THE_DOOR):
        if name in hub.streams:
            break
        await hub.ahead.passed(name)
    stream = hub.streams.get(name)
    if stream is None:
        return None
    if not stream.epoch:  # somebody who may read it is just opening it
        with suppress(NotFound):
            await hub.open(name)
    if not stream.serves(since, user_id):
        return None
    stream.touch()
    if not await hub.level(stream) or hub.streams.get(name) is not stream:
        return None
    return stream if stream.serves(since, user_id) else None


def _reply(opening: Opening, cursor: int) -> dict[str, Any]:
    state = opening.state
    data: dict[str, Any] = {"stream": state.name, "epoch": state.epoch, "head": state.head}
    if opening.recovered is not None:
        data["recovered"] = opening.recovered
        data["replay"] = state.head - cursor
    if opening.reason is not None:
        data["reason"] = opening.reason
    if opening.snapshot is not None:
        data["snapshot"] = opening.snapshot
    if opening.runs is not None:
        data["runs"] = opening.runs
    return data


async def unsubscribe(connection: "Connection", command: Unsubscribe) -> dict[str, Any]:
    """Raises NotSubscribed."""
    subscription = connection.subscriptions.pop(command.stream, None)
    if subscription is None:
        raise NotSubscribed(f"stream: expected one subscribed to, got {command.stream[:60]!r}")
    subscription.end()
    return {}


def read_history(user: Any, name: StreamName, before: int | None, limit: int) -> bytes:
    """`{events, more}` as JSON text: at most `limit` events and 256 KiB, the newest of them."""
    opening = _read(user, name, None, want_snapshot=False)
    end = opening.state.head + 1 if before is None else min(before, opening.state.head + 1)
    entries = list(entries_before(opening.state.id, end, limit=limit))
    size = sum(len(entry.frame or b"") for entry in entries)
    while len(entries) > 1 and size > PAGE_BYTES:
        size -= len(entries.pop(0).frame or b"")
    first = entries[0].seq if entries else end
    more = b"true" if entries and first > opening.state.floor + 1 else b"false"
    frames = b",".join(entry.frame or b"null" for entry in entries)
    return b'{"events":[%b],"more":%b}' % (frames, more)


async def history(connection: "Connection", command: History) -> bytes:
    name = StreamName.parse(command.stream)
    return await in_database(read_history, connection.user, name, command.before, command.limit)


register_command("subscribe", Subscribe, subscribe)
register_command("unsubscribe", Unsubscribe, unsubscribe)
register_command("history", History, history)
