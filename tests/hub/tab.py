"""A client behind a real `Connection`, which checks each frame against what was committed."""

import asyncio
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from realtime.security.identity import Authenticated, Identity
from realtime.sockets.connection import Connection
from realtime.sockets.writer import AsgiWriter

if TYPE_CHECKING:
    from tests.hub.rig import Rig


class Tab:
    """A client of one stream. Every frame is checked against the truth as it comes."""

    def __init__(self, rig: "Rig") -> None:
        self._rig = rig
        self.epoch = ""
        self.cursor = 0
        self.subscribed = False
        self.asked = 0  # the id of the subscribe that waits for its reply
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._last_id = 0
        self._asked_since: dict[int, bool] = {}
        self.connection = self._connect()

    def _connect(self) -> Connection:
        user = SimpleNamespace(pk=self._rig.user_id, is_authenticated=True)
        number = self._rig.connected = self._rig.connected + 1

        async def send(message: dict[str, Any]) -> None:
            await self._flowing.wait()
            if number != self._number or message["type"] != "websocket.send":
                return
            try:
                self._take(message["text"])
            except AssertionError as error:  # the writer takes any error for a peer that is gone
                self._rig.hub.failures.append(error)

        def read(_: object) -> Identity:
            raise AssertionError("expected no epoch to end a credential here")

        self._number = number
        return Connection(
            Authenticated(Identity(user, "key.1", None, read, None), 0),
            self._rig.hub,
            AsgiWriter(send),
        )

    # What it does

    def subscribe(self, *, resume: bool) -> None:
        """With its position where it has one and is to resume."""
        self._last_id += 1
        self.asked = self._last_id
        command: dict[str, Any] = {"id": self.asked, "cmd": "subscribe", "stream": self._rig.name}
        self._asked_since[self.asked] = resume = resume and bool(self.epoch)
        if resume:
            command["since"] = {"epoch": self.epoch, "seq": self.cursor}
        self.connection.receive_nowait(json.dumps(command))

    def reconnect(self) -> None:
        """The socket ends, what it was still to be sent with it; another one resumes."""
        self.connection.end_subscriptions()
        self.connection = self._connect()
        self.subscribed = False
        self._flowing.set()
        self.subscribe(resume=True)

    def lag(self) -> None:
        """Stop or go on taking frames."""
        if self._flowing.is_set():
            self._flowing.clear()
        else:
            self._flowing.set()

    def go_on(self) -> None:
        self._flowing.set()

    # What it is sent

    def _take(self, text: str) -> None:
        frame = json.loads(text)
        if "reply" in frame:
            self._replied(frame)
        elif frame["type"] == "stream_reset":
            assert self.subscribed, "expected no reset without a subscription"
            self.subscribed = False
        else:
            assert self.subscribed, f"expected nothing outside a subscription, got {text}"
            assert frame["seq"] == self.cursor + 1, f"expected #{self.cursor + 1}, got {text}"
            committed = self._rig.truth.frames[self.epoch]
            assert frame["seq"] <= len(committed), f"expected a committed event, got {text}"
            assert text.encode() == committed[frame["seq"] - 1], "expected the text of the log"
            self.cursor += 1

    def _replied(self, frame: dict[str, Any]) -> None:
        if not frame["ok"]:
            assert frame["error"]["temporary"], frame
            if frame["reply"] == self.asked:
                self.asked = 0
            return
        data = frame["data"]
        if not self._asked_since[frame["reply"]] or not data["recovered"]:
            self.epoch, self.cursor = data["epoch"], data["head"]
        else:
            assert data["epoch"] == self.epoch
            assert data["replay"] == data["head"] - self.cursor
        self.subscribed = True
        if frame["reply"] == self.asked:
            self.asked = 0
