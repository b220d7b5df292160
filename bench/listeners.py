"""Clients that listen for broadcasts, acknowledge what they get, and keep when it came."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from bench.crowd import Member

BROADCASTS = {"broadcast_message", "system_notification", "maintenance_mode"}


def broadcast_of(data: dict[str, Any]) -> int | None:
    """Which one an event's data is, or tells of."""
    found: int | None = (data.get("notice") or data).get("broadcast")
    return found


class Listener(Member):
    """Follows `stream`. When its node goes it comes back at the next of `bases`.

    `got` counts each broadcast, be it an event or a part of the snapshot that a fresh one begins
    with; `times` is when it came first.
    """

    def __init__(self, key: str, stream: str, bases: Sequence[str]) -> None:
        super().__init__(key, (stream,), lambda _: None)
        self.got: Counter[int] = Counter()
        self.times: dict[int, float] = {}
        self.acked_at = 0.0
        self._places = [(str(part.hostname), part.port or 80) for part in map(urlsplit, bases)]
        self.place = self._places[0]
        self._number = 1

    @property
    def stream(self) -> str:
        return self.streams[0]

    def lost(self) -> None:
        self._places.append(self._places.pop(0))
        self.place = self._places[0]
        super().lost()

    def opened(self) -> None:
        """The first time from a snapshot, later from where it stood."""
        assert self.socket is not None
        self.heads = {}
        command: dict[str, Any] = {"id": 1, "cmd": "subscribe", "stream": self.stream}
        if self.stream in self.cursors:
            epoch, seq = self.cursors[self.stream]
            command["since"] = {"epoch": epoch, "seq": seq}
        else:
            command["snapshot"] = True
        self.socket.send(json.dumps(command).encode())

    def take(self, frame: dict[str, Any]) -> None:
        at = time.monotonic()
        for shown in (frame.get("data") or {}).get("snapshot", {}).get("broadcasts", ()):
            self._note(shown["data"], at)
        if "reply" in frame and frame["reply"] != 1:
            return  # to an acknowledgement
        super().take(frame)
        if "seq" in frame:
            if frame["type"] in BROADCASTS:
                self._note(frame["data"], at)
            self._acknowledge(frame["seq"])

    def _note(self, data: dict[str, Any], at: float) -> None:
        number = broadcast_of(data)
        if number is not None:
            self.got[number] += 1
            self.times.setdefault(number, at)

    def _acknowledge(self, seq: int) -> None:
        if self.socket is None:
            return
        self._number += 1
        command = {"id": self._number, "cmd": "ack", "cursors": {self.stream: seq}}
        self.socket.send(json.dumps(command).encode())
        self.acked_at = time.monotonic()

    def leave(self) -> None:
        self.stopped = True
        if self.socket is not None:
            self.socket.close()
