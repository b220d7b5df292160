"""Daphne's WebSockets, held to the protocol document.

As it comes, Daphne refuses to close with 1009 or 1012 (autobahn allows applications 1000 and
3000-4999 only), drops close reasons and with them `retry_after_ms`, cuts the connection at a
violation or a missing pong, pings at times of its own, buffers a message of any length before
anyone can refuse it, and takes everything that is sent to a slow client into memory at once.
"""

import asyncio
import time
from typing import Any

from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from realtime.conf import options
from realtime.protocol.codes import CloseCode
from realtime.sockets.liveness import pings_within

MAX_REASON_BYTES = 123  # RFC 6455, section 5.5


_handle_reply = Server.handle_reply


class ContractProtocol(WebSocketProtocol):  # type: ignore[misc]
    """Names with capitals are those of Daphne, autobahn and Twisted."""

    def onConnect(self, request: Any) -> Any:  # noqa: N802
        self.failByDrop = False
        self._writable = asyncio.Event()
        self._writable.set()
        pings = pings_within(options().websocket_connection_timeout)
        self.autoPingInterval = pings.interval_s
        self.autoPingTimeout = pings.timeout_s
        return super().onConnect(request)

    def onOpen(self) -> None:  # noqa: N802
        """Become what Twisted calls a push producer: told when the transport holds 64 KiB."""
        super().onOpen()
        self.transport.unregisterProducer()  # the HTTP channel, which is done
        self.transport.registerProducer(self, True)

    def pauseProducing(self) -> None:  # noqa: N802
        self._writable.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        self._writable.set()

    def stopProducing(self) -> None:  # noqa: N802
        self._writable.set()

    def onClose(self, *ending: Any) -> None:  # noqa: N802
        """Whoever waits to send learns from the server that nobody is there."""
        self._writable.set()
        super().onClose(*ending)

    async def writable(self) -> None:
        """Wait until the transport has room, or is gone."""
        await self._writable.wait()

    def onAutoPingTimeout(self) -> None:  # noqa: N802
        """As uvicorn closes it: whoever still reads sees why."""
        self.autoPingTimeoutCall = None
        self._fail_connection(CloseCode.KEEPALIVE_TIMEOUT, "keepalive ping timeout")

    def check_timeouts(self) -> None:
        """Without Daphne's own pings, whose timers would run beside autobahn's."""
        self.last_ping = time.time()
        super().check_timeouts()

    def onMessageFrameBegin(self, length: int) -> None:  # noqa: N802
        """The announced length is refused before a byte of it is kept."""
        super().onMessageFrameBegin(length)
        limit = options().websocket_max_message_bytes
        if not self.failedByMe and self.message_data_total_length > limit:
            reason = f"expected at most {limit} bytes"
            self._fail_connection(CloseCode.TOO_LARGE, reason)

    def handle_reply(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.close" and self.state == self.STATE_OPEN:
            reason = message.get("reason", "").encode()[:MAX_REASON_BYTES]
            text = reason.decode(errors="ignore").encode()  # not cut within a character
            self.sendCloseFrame(code=int(message.get("code", CloseCode.NORMAL)), reasonUtf8=text)
        else:
            super().handle_reply(message)


def install() -> None:
    """Before Daphne makes its factory: it does so after it has imported the application."""
    WebSocketFactory.protocol = ContractProtocol
    Server.handle_reply = _send_when_writable


async def _send_when_writable(server: Any, protocol: Any, message: dict[str, Any]) -> None:
    """As uvicorn's `send`, and what backpressure in ASGI means: it returns when there is room."""
    if isinstance(protocol, ContractProtocol):
        await protocol.writable()
    await _handle_reply(server, protocol, message)
