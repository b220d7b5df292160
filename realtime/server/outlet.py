"""The writing side of a WebSocket: whole frames, past the transport where that holds nothing.

Must not import Django, nor anything that is above the transport.
"""

import asyncio
import os
from typing import Protocol

_UNKNOWN, _NONE = -1, -2  # descriptors that are none: to be asked for, and never there


class Receiver(Protocol):
    """Whoever the socket was handed over to. Nothing here may wait or raise."""

    def text_received(self, text: str) -> None: ...

    def binary_received(self, data: bytes) -> None: ...

    def descriptor_withdrawn(self) -> None:
        """Write no more to what `Wire.descriptor` gave; what is written from now on comes later."""

    def disconnected(self, code: int) -> None:
        """Called once, when the socket is no more: the peer closed, answered our close with its
        own, or is gone. `code` is that of the first close, 1006 where there was none."""


class Outlet(asyncio.Protocol):
    """What may be written to a connection, and how. Use it in its loop's thread only.

    closed: nothing more is written
    full: more than the transport's high mark waits for the peer; false again when less does
    """

    __slots__ = (
        "_descriptor",
        "_held",
        "_receiver",
        "_room",
        "_transport",
        "closed",
        "full",
        "written",
    )

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held: list[bytes] | None = None  # to be written at the end of the loop's turn
        self._descriptor = _UNKNOWN  # where the transport holds nothing and is written past
        self._receiver: Receiver | None = None
        self._room: asyncio.Future[None] | None = None
        self.closed = False
        self.full = False
        # Bytes that the transport was given, pongs included; who compares them sets it back.
        self.written = 0

    @property
    def buffered(self) -> int:
        """Bytes that the kernel has not taken yet."""
        if self._descriptor >= 0:
            return 0
        held = sum(map(len, self._held)) if self._held is not None else 0
        return self._transport.get_write_buffer_size() + held

    @property
    def transport(self) -> asyncio.Transport:
        """To look at; whatever is written goes through `write`."""
        return self._transport

    def descriptor(self) -> int:
        """Where whole frames may be written past the transport, until the receiver hears that they
        may not; negative where they may not. What it does not take belongs to `finish`."""
        known = self._descriptor != _UNKNOWN
        if known or self.closed or self._receiver is None or self.buffered:
            return self._descriptor
        self._descriptor = _descriptor_of(self._transport)
        return self._descriptor

    def finish(self, rest: memoryview) -> None:
        """Write through the transport what the descriptor did not take, and all that follows. A
        view, because thousands who are slow share the bytes."""
        self._withdraw()
        self.written += len(rest)
        self._transport.write(rest)

    def _withdraw(self) -> None:
        if self._descriptor >= 0:
            self._descriptor = _UNKNOWN
            if self._receiver is not None:
                self._receiver.descriptor_withdrawn()

    def write(self, data: bytes) -> None:
        """Whole frames, made already. After a close nothing is written."""
        if self.closed:
            return
        held, self._held = self._held, None
        if held is None:
            self._put(data)
        else:  # one system call for both, and no copy of what thousands may share
            self.written += len(data)
            self._transport.writelines([*held, data])

    def _put(self, data: bytes) -> None:
        if self._descriptor < 0:
            self.written += len(data)
            self._transport.write(data)
            return
        try:
            count = os.write(self._descriptor, data)
        except OSError:  # full, or gone: the transport finds out which
            count = 0
        if count < len(data):
            self.finish(memoryview(data)[count:])

    def write_soon(self, data: bytes) -> None:
        """As `write`, at the end of the loop's turn: what follows within it leaves in the same
        system call, which costs more than all else that a small frame does."""
        if self.closed:
            return
        if self._descriptor >= 0:
            self._put(data)  # what others write to the descriptor must not overtake it
            return
        self.written += len(data)
        if self._held is None:
            self._held = [data]
            asyncio.get_running_loop().call_soon(self._flush)
        else:
            self._held.append(data)

    def _flush(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._transport.write(b"".join(held))

    async def room(self) -> None:
        """Wait while the wire is full; returns at once when it is closed."""
        while self.full and not self.closed:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        self._let_go()

    def _let_go(self) -> None:
        if self._room is not None:
            self._room.set_result(None)
            self._room = None


def _descriptor_of(transport: asyncio.Transport) -> int:
    """_NONE where the transport is more than a socket (TLS), or none."""
    if transport.get_extra_info("sslcontext") is not None:
        return _NONE
    connection = transport.get_extra_info("socket")
    return _NONE if connection is None else int(connection.fileno())
