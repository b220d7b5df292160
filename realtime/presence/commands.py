"""The command `presence`, and what replies say of who is here."""

from typing import TYPE_CHECKING, Literal

from realtime.node import running_node
from realtime.protocol.errors import BadRequest
from realtime.protocol.streams import StreamKind, StreamName
from realtime.sockets.commands import Command, register_command

if TYPE_CHECKING:
    from realtime.sockets.connection import Connection

NOT_KNOWN = b'{"users":null,"nonce":null,"counter":null}'


class PresenceCommand(Command):
    stream: str
    state: Literal["online", "hidden", "busy"] | None = None


async def presence(connection: "Connection", command: PresenceCommand) -> bytes:
    """Who is here; `state` says how this tab is. Raises BadRequest, NotSubscribed."""
    if StreamName.parse(command.stream).kind is not StreamKind.PROJECT:
        raise BadRequest(f"stream: expected project.<id>, got {command.stream[:60]!r}")
    connection.cursor(command.stream)  # refuses what is not subscribed to, and so not readable
    node = running_node()
    if node is None:
        return NOT_KNOWN
    found = await node.presence.tell(connection, command.stream, command.state)
    return found or NOT_KNOWN


async def joined(connection: "Connection", name: StreamName) -> bytes | None:
    """`presence` of the reply to a subscribe, as JSON: null when the store is away. None: streams
    of this kind have none."""
    if name.kind is not StreamKind.PROJECT:
        return None
    node = running_node()
    found = await node.presence.join(connection, str(name)) if node is not None else None
    return b"null" if found is None else found


def settle(connection: "Connection", name: StreamName) -> None:
    """The subscription that `joined` was for stands."""
    node = running_node()
    if node is not None:
        node.presence.settle(connection, str(name))


register_command("presence", PresenceCommand, presence)
