"""WebSocket readers in a process of their own, which note when the kernel had each frame.

By SO_TIMESTAMPNS, so this program's own queue is not part of it; elsewhere than on Linux it is the
moment of `recv`. The clock is this machine's CLOCK_REALTIME.
"""

import json
import select
import socket
import struct
import sys
import time
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.uri import parse_uri

RECEIPT_TIMEOUT_S = 30
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python has no name for it


class Reader:
    """One WebSocket client without a thread or a loop, which notes when bytes arrived."""

    def __init__(self, address: str, key: str) -> None:
        place = urlsplit(address)
        assert place.hostname is not None
        self._protocol = ClientProtocol(parse_uri(address))
        self.socket = socket.create_connection((place.hostname, place.port or 80), timeout=10)
        if sys.platform == "linux":
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        request = self._protocol.connect()
        request.headers["Authorization"] = f"Api-Key {key}"
        self._protocol.send_request(request)
        self._flush()

    def receive(self) -> tuple[int, list[dict[str, Any]]]:
        """When the waiting bytes arrived, in ns, and the frames that they completed."""
        data, ancillary, _, _ = self.socket.recvmsg(262_144, socket.CMSG_SPACE(16))
        moment_ns = time.time_ns()
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                seconds, rest_ns = struct.unpack("qq", content)
                moment_ns = seconds * 10**9 + rest_ns
        if not data:
            raise ConnectionError("expected the server to keep the socket, got its end")
        self._protocol.receive_data(data)
        if self._protocol.handshake_exc is not None:
            raise self._protocol.handshake_exc
        frames = [one for one in self._protocol.events_received() if isinstance(one, Frame)]
        self._flush()  # pongs
        return moment_ns, [json.loads(bytes(frame.data)) for frame in frames if frame.data]

    def send(self, command: dict[str, Any]) -> None:
        self._protocol.send_text(json.dumps(command).encode())
        self._flush()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            self.socket.sendall(data)


def read_all(pipe: Connection, address: str, key: str, clients: int, count: int) -> None:
    """The readers' process: says "ready", then sends {client_ref: (receipts in ns, event's ts)}."""
    readers = [Reader(address, key) for _ in range(clients)]
    by_number = {reader.socket.fileno(): reader for reader in readers}
    poll = select.poll()
    for number in by_number:
        poll.register(number, select.POLLIN)
    receipts: dict[str, tuple[list[int], str]] = {}
    subscribed = received = 0
    while received < clients * count:
        ready = poll.poll(RECEIPT_TIMEOUT_S * 1000)
        if not ready:
            raise TimeoutError(f"expected {clients * count} receipts, got {received}")
        for number, _ in ready:
            moment_ns, frames = by_number[number].receive()
            for frame in frames:
                if frame.get("reply") == 0:
                    subscribed += 1
                    if subscribed == clients:
                        pipe.send("ready")
                elif frame.get("type") == "new_message":
                    ref = frame["data"]["message"]["client_ref"]
                    receipts.setdefault(ref, ([], frame["ts"]))[0].append(moment_ns)
                    received += 1
    pipe.send(receipts)
