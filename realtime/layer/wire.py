"""A connection to Redis at the price of its bytes.

redis-py connects: it authenticates, speaks TLS, selects the database. Then the connection's socket
is given to a protocol of our own, because redis-py's way through a command or a message takes
longer than everything else that a hint costs. Leans on private names of the pinned redis-py.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Self

from redis.exceptions import InvalidResponse, ResponseError

CONNECT_TIMEOUT_S = 4.0  # it takes five round trips, on a slow network as well

_END = b"\r\n"
_BULK = ord("$")
_LISTS = b"*>"  # an array, a push of version 3
_LINES: dict[int, Callable[[bytes], Any]] = {  # what ends with its line
    ord(":"): int,
    ord("+"): bytes,
    ord("-"): lambda text: ResponseError(text.decode(errors="replace")),
    ord("_"): lambda _: None,
}


class _Incomplete(Exception):
    """The rest of a value has not come yet."""


def packed(*words: bytes) -> bytes:
    """A command as Redis reads it."""
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"".join(parts)


def value_at(data: bytes, at: int) -> tuple[Any, int]:
    """The value that begins there, and where the next one does: int, bytes, None, a list of
    these, or an error of Redis' as ResponseError, not raised.

    Of both versions of the protocol what answers PUBLISH, SUBSCRIBE and PING. Raises
    InvalidResponse for anything else, _Incomplete.
    """
    end = data.find(_END, at)
    if end < 0:
        raise _Incomplete
    kind, head, after = data[at], data[at + 1 : end], end + 2
    if kind == _BULK:
        size = int(head)
        end = after + size
        if size < 0:
            return None, after
        if len(data) < end + 2:
            raise _Incomplete
        return data[after:end], end + 2
    if kind in _LISTS:
        values = []
        for _ in range(int(head)):
            value, after = value_at(data, after)
            values.append(value)
        return values, after
    if (read := _LINES.get(kind)) is None:
        raise InvalidResponse(f"expected an answer of Redis', got {data[at : at + 20]!r}")
    return read(head), after


class Wire(asyncio.Protocol):
    """`on_value` gets each value that Redis sends; `on_lost` is called once, unless it is closed
    here. Neither may wait. `heard` says that something came since it was last set to False."""

    def __init__(self, on_value: Callable[[Any], None], on_lost: Callable[[], None]) -> None:
        self.heard = False
        self.health_check_s = 0.0  # as the address says; 0: none
        self._on_value = on_value
        self._on_lost = on_lost
        self._connection: Any = None
        self._transport: Any = None
        self._rest = b""

    @classmethod
    async def opened(
        cls, pool: Any, on_value: Callable[[Any], None], on_lost: Callable[[], None]
    ) -> Self:
        """A new connection as the pool of redis-py would make it. Raises what that raises,
        TimeoutError."""
        wire = cls(on_value, on_lost)
        connection: Any = pool.make_connection()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await connection.connect()
        except BaseException:
            connection._close()  # noqa: SLF001 - at once: `disconnect` waits for the other side
            raise
        wire._take_over(connection)
        return wire

    def _take_over(self, connection: Any) -> None:
        self._connection = connection
        self.health_check_s = connection.health_check_interval
        reader, writer = connection._reader, connection._writer  # noqa: SLF001 - see above
        transport = self._transport = writer.transport
        transport.set_protocol(self)
        # Bytes go out when they are written, not after what else the event loop has to do: other
        # nodes wait for them. Above zero uvloop would keep them until its turn ends.
        transport.set_write_buffer_limits(high=0)
        self._rest = bytes(reader._buffer)  # noqa: SLF001

    def write(self, data: bytes) -> None:
        if self._connection is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Let go of it; `on_lost` is not called any more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection._close()  # noqa: SLF001 - else it would complain when it is collected
            self._transport.abort()  # what Redis did not take by now would hold the socket

    def data_received(self, data: bytes) -> None:
        self.heard = True
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        try:
            while at < size and self._connection is not None:
                value, at = value_at(data, at)
                self._on_value(value)
        except _Incomplete:
            pass
        except (InvalidResponse, ValueError):
            self.connection_lost(None)
            return
        self._rest = data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self.close()
            self._on_lost()
