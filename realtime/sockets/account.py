"""Every socket follows its own user's stream, unseen, for the end of its credentials."""

import asyncio
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from realtime.bans.refusing import Banned
from realtime.database import in_database
from realtime.hub.subscription import Subscription
from realtime.log.entries import Entry
from realtime.protocol.codes import CloseCode
from realtime.protocol.errors import NotFound, Unauthorized, Unavailable
from realtime.protocol.streams import user_stream
from realtime.security.endings import BANNED, SIGNED_OUT, close_of
from realtime.security.identity import Authenticated, authenticated_again

if TYPE_CHECKING:
    from realtime.hub.stream import HubStream
    from realtime.sockets.connection import Connection

VERIFY_WITHIN_S = 2.0


class AccountWatch:
    """A sink that passes nothing on; what it waits for is `lost`."""

    __slots__ = ("_connection", "_subscription", "_verifying")
    writable = True

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._subscription: Subscription | None = None
        self._verifying: asyncio.Task[None] | None = None

    @property
    def user_id(self) -> int:
        return self._connection.user_id

    @property
    def credential(self) -> str:
        return self._connection.credential

    async def start(self, authenticated: Authenticated) -> None:
        """Look for endings above the head that was read in one snapshot with the credentials.

        Raises NotFound, Unavailable.
        """
        hub, row = self._connection.hub, authenticated.stream
        stream = hub.open_personal(row, self.user_id, authenticated.read_at) if row else None
        stream = stream or await hub.open(user_stream(self.user_id))
        if row is not None and row.epoch != stream.epoch:
            self._verify_from_now(stream)  # seqs of two epochs do not compare
        else:
            self._follow(stream, authenticated.at)

    def _follow(self, stream: "HubStream", seq: int) -> None:
        """Look for endings above `seq`."""
        self._subscription = Subscription(stream, self, cursor=seq, authorized_at=seq, target=seq)
        self._subscription.start()

    def stop(self) -> None:
        if self._subscription is not None:
            self._subscription.end()
            self._subscription = None
        if self._verifying is not None:
            self._verifying.cancel()
            self._verifying = None

    @property
    def direct(self) -> None:
        return None

    def write_nowait(self, frames: Sequence[bytes]) -> None:
        """The person's own subscription writes them, if there is one."""

    def catch_up(self, subscription: Subscription) -> None:
        self._connection.catch_up(subscription)

    def lost(self, subscription: Subscription, entry: Entry) -> None:
        self._connection.close(*close_of(entry.frame))

    def reset(self, subscription: Subscription, reason: str) -> None:
        """The log lost its tail, maybe with an ending in it."""
        self._verify_from_now(subscription.stream)

    def _verify_from_now(self, stream: "HubStream") -> None:
        """Watch on from where the log stands now, and read the credential again."""
        self._follow(stream, stream.last)
        self._verifying = asyncio.get_running_loop().create_task(self._verify())

    async def _verify(self) -> None:
        """With jitter, because every socket of every node comes here at the same time."""
        while True:
            await asyncio.sleep(random.uniform(0, VERIFY_WITHIN_S))
            try:
                await in_database(authenticated_again, self._connection.identity)
            except Unavailable:
                continue
            except Banned:
                self._connection.close(CloseCode.FORBIDDEN, BANNED)
            except (Unauthorized, NotFound):
                self._connection.close(CloseCode.REVOKED, SIGNED_OUT)
            return
