"""What a socket is told about itself when it is let in."""

from typing import TYPE_CHECKING, Any

from django.utils import timezone

from realtime.conf import options
from realtime.protocol.payloads.shape import wire_time
from realtime.sockets.handshake import SUBPROTOCOL

if TYPE_CHECKING:
    from realtime.sockets.connection import Connection


def greeting(connection: "Connection") -> dict[str, Any]:
    """The data of `authentication_success`, and of the reply to `authenticate`.

    The shape `ConnectionOpened`, which a test compares: a model made and dumped for each socket
    cost four times as much.
    """
    identity = connection.identity
    return {
        "connection": connection.id,
        "user": {"id": identity.user_id, "name": identity.name},
        "server_time": wire_time(timezone.now()),
        "heartbeat_s": options().websocket_heartbeat_interval,
        "expires_at": wire_time(identity.expires_at) if identity.expires_at else None,
        "protocol": SUBPROTOCOL,
    }
