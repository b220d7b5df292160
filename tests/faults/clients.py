"""Clients that keep a cursor and come back with it, written from the protocol document alone.

Every frame goes into the record as it came from the wire; nothing is dropped or put right here.
"""

import asyncio
import json
import random
import socket
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from tests.faults.record import Stretch, Write

CONNECT_TIMEOUT_S = 5.0
REPLY_TIMEOUT_S = 15.0
SILENCE_S = 5.0  # beyond the heartbeat's interval
BACK_OFF_S = (0.1, 2.0)
RECEIVE_BUFFER_BYTES = 16_384  # small, so that a client that stops reading is soon felt
STOP_CODES = range(4400, 4500)  # the client must not come again as it is

Frame = dict[str, Any]


class Misbehaviour(Exception):
    """The server did what the protocol document rules out."""


class Client:
    """One person's tab. `stretches` is what it read of each stream; `counts` what it went through.

    `reading` is cleared while the client does not take anything from its socket.
    """

    def __init__(
        self, name: str, person: Frame, addresses: Sequence[str], streams: Sequence[str]
    ) -> None:
        self.name = name
        self.person = person
        self.stretches: dict[str, list[Stretch]] = {stream: [] for stream in streams}
        self.counts: Counter[str] = Counter()
        self.misbehaviour: list[str] = []
        self.arrivals: dict[tuple[str, int], float] = {}
        self.timing = False  # whether `arrivals` is kept
        self.reading = asyncio.Event()
        self.reading.set()
        self.socket: ClientConnection | None = None
        self._abandoned: list[ClientConnection] = []
        self._addresses = list(addresses)
        self._last_id = 0
        self._replies: dict[int, asyncio.Future[Frame]] = {}
        self._live: set[str] = set()  # subscribed on the present socket
        self._announced_at: float | None = None
        self._open = asyncio.Event()

    # What tests and writers use

    def cursor(self, stream: str) -> int | None:
        stretches = self.stretches[stream]
        return stretches[-1].cursor if stretches else None

    def level(self, heads: dict[str, int]) -> bool:
        """Whether it has read every stream to its head."""
        return all((self.cursor(stream) or 0) >= heads[stream] for stream in self.stretches)

    @property
    def subscribed(self) -> bool:
        return self._open.is_set()

    async def send_message(self, write: Write, body: str) -> None:
        """Send it until it is acknowledged, over as many sockets as that takes."""
        fields = {"stream": write.stream, "body": body, "client_ref": write.ref}
        while not write.acknowledged:
            await self._open.wait()
            write.attempts += 1
            try:
                reply = await self._command("send_message", **fields)
            except (OSError, ConnectionClosed, TimeoutError, asyncio.CancelledError):
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                await asyncio.sleep(random.uniform(*BACK_OFF_S) / 2)
                continue
            if reply["ok"]:
                write.acknowledge(reply["data"]["message"]["id"], reply["data"]["seq"])
            else:
                self._refused(reply["error"])
                await asyncio.sleep(random.uniform(*BACK_OFF_S) / 2)

    def vanish(self) -> None:
        """The socket ends without a close."""
        if self.socket is not None:
            self.socket.transport.abort()

    def leave_half_open(self) -> None:
        """The socket stays open, and nobody is behind it any more; the client comes anew."""
        if self.socket is not None:
            left, self.socket = self.socket, None
            left.transport.pause_reading()
            self._abandoned.append(left)
            self._change.set()

    def drop_half_open(self) -> None:
        while self._abandoned:
            self._abandoned.pop().transport.abort()

    # Its life

    async def run(self) -> None:
        """Until cancelled."""
        self._change = asyncio.Event()
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._one_socket()
            except ConnectionClosed as error:
                code = error.rcvd.code if error.rcvd is not None else 1006
                self.counts[f"closed {code}"] += 1
                if code in STOP_CODES:
                    self.misbehaviour.append(f"{self.name}: closed with {code}")
                if code == 1012:
                    failures = 0
                    self._addresses.append(self._addresses.pop(0))
                    continue
            except (InvalidHandshake, InvalidMessage, OSError, TimeoutError, EOFError) as error:
                self.counts[f"failed {type(error).__name__}"] += 1
            except Misbehaviour as error:
                self.misbehaviour.append(f"{self.name}: {error}")
            finally:
                self._ended()
            self._addresses.append(self._addresses.pop(0))
            failures = 0 if time.monotonic() - began > 5 else failures + 1
            longest_s = min(BACK_OFF_S[1], BACK_OFF_S[0] * 2**failures)
            await asyncio.sleep(random.uniform(0, longest_s))

    def _ended(self) -> None:
        self._open.clear()
        self._live.clear()
        self.socket = None
        replies, self._replies = self._replies, {}
        for reply in replies.values():
            reply.cancel()

    async def _one_socket(self) -> None:
        host, port = self._addresses[0].split(":")
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        raw.setblocking(False)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
        except BaseException:
            raw.close()
            raise
        self._change.clear()
        made = await connect(
            f"ws://{host}:{port}/ws",
            sock=raw,
            additional_headers={"Authorization": f"Api-Key {self.person['key']}"},
            open_timeout=CONNECT_TIMEOUT_S,
            close_timeout=1,
            ping_interval=None,
            compression=None,
            max_size=None,
            max_queue=2,
            proxy=None,
        )
        self.socket = made
        tasks = [asyncio.ensure_future(work) for work in (self._read(made), self._change.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done() and (error := task.exception()) is not None:
                    raise error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if made not in self._abandoned:
                made.transport.abort()

    async def _read(self, made: ClientConnection) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            first = json.loads(await made.recv())
        if first.get("type") != "authentication_success":
            raise Misbehaviour(f"expected authentication_success first, got {first}")
        silence_s = first["data"]["heartbeat_s"] + SILENCE_S
        self.counts["sockets"] += 1
        subscribing = asyncio.ensure_future(self._subscribe_all())
        try:
            while True:
                await self.reading.wait()
                try:
                    async with asyncio.timeout(silence_s):
                        text = await made.recv(decode=True)
                except TimeoutError:
                    self.counts["silences"] += 1
                    raise
                self._take(json.loads(text), str(text))
                if subscribing.done() and not subscribing.cancelled() and subscribing.exception():
                    await subscribing
        finally:
            subscribing.cancel()
            with suppress(Exception, asyncio.CancelledError):
                await subscribing

    # Commands

    async def _command(self, cmd: str, **fields: Any) -> Frame:
        """The reply. Raises ConnectionClosed, TimeoutError; cancelled when the socket ends."""
        if self.socket is None:
            raise OSError("expected an open socket, got none")
        self._last_id += 1
        command = self._last_id
        reply = self._replies[command] = asyncio.get_running_loop().create_future()
        try:
            await self.socket.send(json.dumps({"id": command, "cmd": cmd, **fields}))
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                answer: Frame = await reply
                return answer
        finally:
            self._replies.pop(command, None)

    def _refused(self, error: Frame) -> None:
        self.counts[f"refused {error['code']}"] += 1
        if not error["temporary"]:
            self.misbehaviour.append(f"{self.name}: refused for good: {error}")

    async def _subscribe_all(self) -> None:
        for stream, stretches in self.stretches.items():
            while stream not in self._live:
                asked: Frame = {"stream": stream}
                if stretches:
                    asked["since"] = {"epoch": stretches[-1].epoch, "seq": stretches[-1].cursor}
                reply = await self._command("subscribe", **asked)
                if not reply["ok"]:
                    self._refused(reply["error"])
                    await asyncio.sleep(random.uniform(*BACK_OFF_S) / 2)
        self._open.set()

    # Frames

    def _take(self, frame: Frame, text: str) -> None:
        if "reply" in frame:
            self._subscribed(frame)
            reply = self._replies.get(frame["reply"])
            if reply is not None and not reply.done():
                reply.set_result(frame)
            return
        stream = frame.get("stream")
        if "seq" in frame:
            if stream not in self._live:
                raise Misbehaviour(f"expected no event before the reply, got {text[:200]}")
            self.counts["events"] += 1
            self.stretches[stream][-1].add(frame, text)
            if self.timing:
                self.arrivals.setdefault((stream, frame["seq"]), time.monotonic())
            return
        match frame["type"]:
            case "heartbeat":
                self._compare_heads(frame["heads"])
            case "server_shutdown":
                self.counts["announced stops"] += 1
            case "stream_reset":
                raise Misbehaviour(f"expected no reset, got {text[:200]}")
            case _:
                self.counts["signals"] += 1

    def _subscribed(self, frame: Frame) -> None:
        """Done while reading, not by who waits for the reply: events follow directly behind it."""
        data = frame.get("data") or {}
        if not frame["ok"] or "head" not in data or data.get("stream") not in self.stretches:
            return
        stretches = self.stretches[data["stream"]]
        if not stretches or not data.get("recovered"):
            if stretches:
                self.misbehaviour.append(f"{self.name}: not recovered: {data}")
            stretches.append(Stretch(data["epoch"], data["head"]))
        elif data["replay"] != data["head"] - stretches[-1].cursor:
            self.misbehaviour.append(f"{self.name}: replay does not fit: {data}")
        else:
            self.counts["resumes"] += 1
        self._live.add(data["stream"])

    def _compare_heads(self, heads: dict[str, int]) -> None:
        """`heads` are in order with the frames: what they name has been written before."""
        for stream, head in heads.items():
            if head != self.cursor(stream):
                self.misbehaviour.append(
                    f"{self.name}: heartbeat says {stream} #{head}, read to #{self.cursor(stream)}"
                )
