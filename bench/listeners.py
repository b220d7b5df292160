"""Clients that listen for broadcasts, acknowledge what they get, and keep when it came."""

import json
import select
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

from bench.crowd import Member
from bench.readers import RECEIPT_TIMEOUT_S, Reader

ACK_AFTER_S = 0.25  # as the project's own client gathers them

BROADCASTS = {"broadcast_message", "system_notification", "maintenance_mode"}


def broadcast_of(data: dict[str, Any]) -> int | None:
    """Which one an event's data is; none where it tells of the end of one."""
    if data.get("kind") == "broadcast":
        return None
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


class _Listening:
    """A reader's turn in `listen_all`: where it subscribed, and what it got."""

    def __init__(self, address: str, key: str, stream: str) -> None:
        self.reader = Reader(address, key)
        self._stream = stream
        self.got: Counter[int] = Counter()
        self._seq = 0
        self._number = 1

    def opened(self) -> None:
        subscribe = {"id": 1, "cmd": "subscribe", "stream": self._stream, "snapshot": True}
        self.reader.send(subscribe)

    def note(self, frame: dict[str, Any]) -> int | None:
        """The broadcast that came with it."""
        self._seq = frame["seq"]
        number = broadcast_of(frame["data"]) if frame["type"] in BROADCASTS else None
        if number is not None:
            self.got[number] += 1
        return number

    def acknowledge(self) -> None:
        self._number += 1
        cursors = {self._stream: self._seq}
        self.reader.send({"id": self._number, "cmd": "ack", "cursors": cursors})


class _Crowd:
    """All listeners of a process; `receipts` of the broadcasts that not all of them have yet."""

    def __init__(self, pipe: Connection, listeners: Sequence[_Listening]) -> None:
        self._pipe = pipe
        self._by_number = {one.reader.socket.fileno(): one for one in listeners}
        self._receipts: dict[int, list[int]] = defaultdict(list)
        self._subscribed = 0

    def run(self) -> None:
        poll = select.poll()
        for number in (*self._by_number, self._pipe.fileno()):
            poll.register(number, select.POLLIN)
        while ready := poll.poll(RECEIPT_TIMEOUT_S * 1000):
            numbers = {number for number, _ in ready}
            if self._pipe.fileno() in numbers:
                return
            complete = [found for number in numbers for found in self._read(number)]
            for found in complete:
                self._acknowledge(found)
        raise TimeoutError("expected to be told to end, heard nothing")

    def _read(self, number: int) -> Iterator[int]:
        """The broadcasts that now everybody has."""
        listener = self._by_number[number]
        moment_ns, frames = listener.reader.receive()
        for frame in frames:
            if frame.get("type") == "authentication_success":
                listener.opened()
            elif frame.get("reply") == 1:
                self._subscribed += 1
                if self._subscribed == len(self._by_number):
                    self._pipe.send("ready")
            elif "seq" in frame and (found := listener.note(frame)) is not None:
                self._receipts[found].append(moment_ns)
                if len(self._receipts[found]) == len(self._by_number):
                    yield found

    def _acknowledge(self, broadcast: int) -> None:
        time.sleep(ACK_AFTER_S)
        for one in self._by_number.values():
            one.acknowledge()
        self._pipe.send((broadcast, self._receipts.pop(broadcast), time.monotonic()))

    @property
    def twice(self) -> int:
        return sum(max(one.got.values(), default=1) > 1 for one in self._by_number.values())


def listen_all(
    pipe: Connection, addresses: Sequence[str], keys: Sequence[str], stream: str
) -> None:
    """A process of listeners, spread over the addresses, whose receipts are the kernel's.

    Says "ready"; then, for each broadcast that all of them have and have acknowledged, its id, the
    receipts in ns, and the moment (`time.monotonic`) of the last acknowledgement. Given anything,
    it says how many got one twice, and ends.
    """
    listeners = [
        _Listening(addresses[number % len(addresses)], key, stream)
        for number, key in enumerate(keys)
    ]
    crowd = _Crowd(pipe, listeners)
    crowd.run()
    pipe.send(crowd.twice)
