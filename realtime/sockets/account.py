"""Every socket follows its own user's stream, unseen, for the end of its credentials."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from realtime.hub.subscription import Subscription
from realtime.log.entries import Entry
from realtime.protocol.codes import CloseCode
from realtime.protocol.streams import user_stream

if TYPE_CHECKING:
    from realtime.sockets.connection import Connection


class AccountWatch:
    """A sink that passes nothing on; what it waits for is `lost`."""

    writable = True

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._subscription: Subscription | None = None

    @property
    def user_id(self) -> int:
        return self._connection.user_id

    @property
    def credential(self) -> str:
        return self._connection.credential

    async def start(self, authorized_at: int) -> None:
        """`authorized_at`: the stream's head, read in one snapshot with the credentials.

        Raises NotFound, Unavailable.
        """
        stream = await self._connection.hub.open(user_stream(self.user_id))
        self._subscription = Subscription(
            stream, self, cursor=authorized_at, authorized_at=authorized_at, target=authorized_at
        )
        self._subscription.start()

    def stop(self) -> None:
        if self._subscription is not None:
            self._subscription.end()
            self._subscription = None

    def write_nowait(self, frames: Sequence[bytes]) -> None:
        """The person's own subscription writes them, if there is one."""

    def catch_up(self, subscription: Subscription) -> None:
        self._connection.catching_up.add(subscription)

    def lost(self, subscription: Subscription, entry: Entry) -> None:
        self._connection.close(CloseCode.REVOKED, "credentials ended")

    def reset(self, subscription: Subscription, reason: str) -> None:
        """The log lost its tail, and an ending may have been in it: the client comes again."""
        self._connection.close(CloseCode.SERVER_RESTART, f"log reset ({reason})")
