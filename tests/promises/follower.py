"""A client that keeps a cursor and comes back with it, as the protocol document asks of clients."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.nodes.client import Client
from tests.nodes.server import wait_until

READ_S = 0.2
LOOKS_AFTER_JOINING_S = 1.5  # a stream just opened is looked at again after 0.2 and 1 s
RETRY_S = 0.1


class Follower:
    """Reads one stream for ever. When the socket ends it goes to the next address and resumes.

    `events` are all event frames as they came, over all sockets; `seqs` must be unbroken.
    """

    def __init__(self, addresses: Sequence[str], authorization: str, stream: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.connections = 0
        self.subscribed_at = 0.0
        self.fault: BaseException | None = None
        self._addresses = list(addresses)
        self._authorization = authorization
        self._stream = stream
        self._position: dict[str, Any] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def seqs(self) -> list[int]:
        return [event["seq"] for event in list(self.events)]

    def begin(self) -> "Follower":
        """Start, and wait for the first subscription."""
        self._thread.start()
        wait_until(lambda: self.connections or self.fault, "a subscription")
        return self

    def settle(self) -> "Follower":
        """Wait until only hints and the position check can bring anything."""
        wait_until(
            lambda: time.monotonic() > self.subscribed_at + LOOKS_AFTER_JOINING_S,
            "the first looks to be over",
        )
        return self

    def stop(self) -> None:
        self._over.set()
        self._thread.join(10)

    def wait_for(self, seq: int, timeout_s: float) -> None:
        """Wait until the seq has come; afterwards everything up to it must have, in order."""
        wait_until(
            lambda: self.fault or (self.events and self.events[-1]["seq"] >= seq),
            f"seq {seq} (the last was {self.seqs[-1:]})",
            timeout_s,
        )
        assert self.fault is None, self.fault
        assert self.seqs == list(range(self.seqs[0], self.seqs[0] + len(self.seqs)))

    def wait_until_holds(
        self, condition: Callable[[dict[str, Any]], object], timeout_s: float
    ) -> dict[str, Any]:
        """The first event of which that is true."""
        wait_until(lambda: any(map(condition, list(self.events))), "the event", timeout_s)
        return next(event for event in self.events if condition(event))

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                try:
                    self._follow(self._addresses[0])
                except (OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                    self._addresses.append(self._addresses.pop(0))
                    self._over.wait(RETRY_S)
        except BaseException as error:
            self.fault = error
            raise

    def _follow(self, address: str) -> None:
        with Client(address, authorization=self._authorization) as client:
            client.greeted()
            asked = {"since": self._position} if self._position else {}
            reply = client.ok("subscribe", stream=self._stream, **asked)
            if self._position is None:
                self._position = {"epoch": reply["epoch"], "seq": reply["head"]}
            else:
                assert reply["recovered"], reply
            self.subscribed_at = time.monotonic()
            self.connections += 1
            read = 0
            while not self._over.is_set():
                for frame in client.frames[read:]:
                    read += 1
                    if frame.get("stream") == self._stream and "seq" in frame:
                        self._take(frame)
                    assert frame.get("type") != "stream_reset", frame
                try:
                    client.receive(READ_S)
                except TimeoutError:
                    continue

    def _take(self, frame: dict[str, Any]) -> None:
        assert self._position is not None
        assert frame["seq"] == self._position["seq"] + 1, (frame["seq"], self._position)
        self._position["seq"] = frame["seq"]
        self.times.append(time.monotonic())
        self.events.append(frame)
