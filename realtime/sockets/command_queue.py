"""What one socket has asked for: its commands run one after another, each with its reply.

There for as long as something waits: of thousands of idle sockets none has one.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from realtime.metrics.core import COMMAND_ERRORS, COMMAND_S, COMMANDS, NO_COMMAND
from realtime.protocol.codes import ErrorCode
from realtime.protocol.errors import Internal, RateLimited, RealtimeError
from realtime.protocol.frames import error_frame, reply_frame, reply_frame_of
from realtime.protocol.validation import validated
from realtime.sockets.commands import commanded, registered_command

if TYPE_CHECKING:
    from realtime.sockets.connection import Connection

MAX_WAITING = 32

logger = logging.getLogger(__name__)


class CommandQueue:
    """`connection.rested()` is called when everything is answered."""

    __slots__ = ("_after_reply", "_connection", "_first_runs", "_running", "_waiting")

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._waiting: deque[dict[str, Any]] = deque()
        self._running: asyncio.Task[None] | None = None
        self._first_runs = False  # beside the others, with steps of its own to be run after it
        self._after_reply: list[Callable[[], None]] = []

    def put_nowait(self, command: dict[str, Any]) -> None:
        """A command whose id is in order. Raises RateLimited."""
        if len(self._waiting) >= MAX_WAITING:
            raise RateLimited(
                f"expected at most {MAX_WAITING} commands waiting, got one more",
                retry_after_ms=1000,
            )
        self._waiting.append(command)
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        writer = self._connection.writer
        try:
            while self._waiting:
                await writer.drained()
                if writer.closed:
                    return  # the rights that the command was sent with may have ended
                command = self._waiting.popleft()
                with commanded(self._connection.id, command):
                    writer.reply_nowait(await self._answer(command))
                self._run_after_reply()
        finally:
            self._running = None
            self._waiting.clear()
            self._rest()

    def _rest(self) -> None:
        if self._running is None and not self._first_runs:
            self._connection.rested()

    async def run_first(self, command: dict[str, Any]) -> None:
        """Run a command that the path implies, replied to with id 0. Raises what refused it."""
        writer = self._connection.writer
        self._first_runs = True
        try:
            with commanded(self._connection.id, {"id": 0, **command}):
                frame = await self._result({"id": 0, **command})
        except RealtimeError as error:
            writer.reply_nowait(error_frame(0, error))
            raise
        else:
            writer.reply_nowait(frame)
            self._run_after_reply()
        finally:
            self._first_runs = False
            self._rest()

    def after_reply(self, step: Callable[[], None]) -> None:
        """Have `step` run directly behind the reply to the present command."""
        self._after_reply.append(step)

    def _run_after_reply(self) -> None:
        steps, self._after_reply = self._after_reply, []
        for step in steps:
            step()

    def stop(self) -> None:
        """What waits is not run, what runs is cancelled."""
        self._waiting.clear()
        if self._running is not None:
            self._running.cancel()

    async def _answer(self, command: dict[str, Any]) -> bytes:
        """The reply to a command. Nothing is raised from here."""
        try:
            return await self._result(command)
        except RealtimeError as error:
            return error_frame(command["id"], error)

    async def _result(self, command: dict[str, Any]) -> bytes:
        """The positive reply. Raises RealtimeError; a fault of ours is Internal, and logged."""
        number, name, began = command["id"], NO_COMMAND, time.perf_counter()
        try:
            registered = registered_command(command.get("cmd"))
            name = registered.name
            result = await registered.handler(
                self._connection, validated(registered.shape, command)
            )
            if isinstance(result, bytes):
                return reply_frame_of(number, result)
            return reply_frame(number, result)
        except RealtimeError as error:
            COMMAND_ERRORS.add(name, error.code)
            raise
        except Exception as error:
            connection = self._connection.id
            logger.exception("command failed cmd=%s connection=%s", command.get("cmd"), connection)
            COMMAND_ERRORS.add(name, ErrorCode.INTERNAL)
            raise Internal("expected this to work, got a fault of ours") from error
        finally:
            COMMANDS.add(name)
            COMMAND_S.observe(time.perf_counter() - began)
