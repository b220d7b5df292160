"""Daphne's WebSockets, held to the protocol document.

As it comes, Daphne refuses to close with 1009 or 1012 (autobahn allows applications 1000 and
3000-4999 only), drops close reasons and with them `retry_after_ms`, answers a violation by cutting
the connection, and buffers a message of any length before anyone can refuse it.
"""

from typing import Any

from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from realtime.conf import options
from realtime.protocol.codes import CloseCode

MAX_REASON_BYTES = 123  # RFC 6455, section 5.5


class ContractProtocol(WebSocketProtocol):  # type: ignore[misc]
    """Names with capitals are those of Daphne and autobahn."""

    def onConnect(self, request: Any) -> Any:  # noqa: N802
        self.failByDrop = False
        return super().onConnect(request)

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
