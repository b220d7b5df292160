"""An authenticated socket: its subscriptions, its commands in order, its heartbeat."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from pydantic_core import to_json

from realtime.hub.audience import Direct
from realtime.hub.replay import replay_from_ring
from realtime.hub.subscription import Subscription
from realtime.log.entries import Entry
from realtime.metrics.core import (
    CLOSES,
    COMMAND_ERRORS,
    DELIVERIES,
    NO_COMMAND,
    REPLAYS,
    RESETS,
    code_label,
)
from realtime.node import running_node
from realtime.protocol.codes import CloseCode
from realtime.protocol.errors import BadRequest, NotSubscribed, RateLimited
from realtime.protocol.frames import (
    error_frame,
    parsed_object,
    reset_frame,
    signal_frame,
)
from realtime.protocol.streams import user_stream
from realtime.security.identity import Authenticated, restored
from realtime.small import Subscriptions
from realtime.sockets.account import AccountWatch
from realtime.sockets.acks import acknowledge
from realtime.sockets.catching_up import CatchUp
from realtime.sockets.command_queue import CommandQueue
from realtime.sockets.round import Round
from realtime.sockets.writer import Writer

if TYPE_CHECKING:
    from realtime.hub.hub import Hub

MALFORMED_LIMIT = 10  # frames in a row that are no command at all
MAX_COMMAND_ID = 2**53  # what JavaScript counts exactly

logger = logging.getLogger(__name__)


class Connection:
    """Commands run one after another; everything written goes through `writer`, in one order.

    A server holds thousands that are idle: what only a busy one needs is made when it does.
    """

    __slots__ = (
        "_abandoned",
        "_catching_up",
        "_malformed",
        "_queue",
        "address",
        "hub",
        "id",
        "identity",
        "leaving",
        "opened_at",
        "subscriptions",
        "watch",
        "writer",
    )

    def __init__(self, authenticated: Authenticated, hub: "Hub", writer: Writer) -> None:
        self.id = secrets.token_hex(7)  # short: others keep a copy of it, by the thousand
        self.identity = authenticated.identity.kept()
        self.hub = hub
        self.writer = writer
        self.subscriptions = Subscriptions()
        self.watch = AccountWatch(self)
        self.address = ""  # of the peer, or of what the proxy says; set by whoever accepted it
        self.opened_at = asyncio.get_running_loop().time()
        self.leaving = False  # told of a planned stop
        self._catching_up: CatchUp | None = None
        self._queue: CommandQueue | None = None
        self._malformed = 0
        self._abandoned = False

    # What handlers and subscriptions use

    @property
    def user(self) -> Any:
        """Made anew at every call, without a read."""
        return restored(self.identity.user)

    @property
    def user_id(self) -> int:
        return self.identity.user_id

    @property
    def credential(self) -> str:
        return self.identity.credential

    async def adopt(self, authenticated: Authenticated) -> None:
        """Act for this identity from now on, and hear of its end. Raises Unavailable."""
        self.identity = authenticated.identity.kept()
        self.watch.stop()
        await self.watch.start(authenticated)

    def cursor(self, stream: str) -> int:
        """The last seq of the stream written to this socket. Raises NotSubscribed."""
        subscription = self.subscriptions.get(stream)
        if subscription is None:
            raise NotSubscribed(f"stream: expected one subscribed to, got {stream[:60]!r}")
        return subscription.cursor

    def acknowledge(self, stream: str, seq: int) -> None:
        """Everything up to `seq` has arrived on this socket. Raises NotSubscribed."""
        self.cursor(stream)
        acknowledge(self.subscriptions[stream], seq)

    # As the sink of its subscriptions

    @property
    def writable(self) -> bool:
        return self.writer.writable

    @property
    def direct(self) -> Direct | None:
        return self.writer.direct

    def write_nowait(self, frames: Sequence[bytes]) -> None:
        DELIVERIES.total += len(frames)
        self.writer.write_nowait(frames)

    def catch_up(self, subscription: Subscription) -> None:
        # At the position of a crowd, and with room for it, that is one write; else a task's work.
        seen = subscription.sink is self  # and not the account's own, which writes nothing
        if self.writer.writable and replay_from_ring(subscription):
            if seen:
                REPLAYS.add("memory")
            return
        if seen:
            REPLAYS.add("log")
        if self._catching_up is None:
            self._catching_up = CatchUp(self.writer, self.hub.reader)
        self._catching_up.add(subscription)

    def lost(self, subscription: Subscription, entry: Entry) -> None:
        """The person left, was removed, or the project is gone.

        In the person's own stream it is the credentials that ended, and with them the socket.
        """
        if subscription.stream.name == user_stream(self.user_id):
            self.watch.lost(subscription, entry)
            return
        self._forget(subscription)
        reason = "deleted" if entry.type == "project_deleted" else "removed"
        data = {"reason": reason}
        frame = signal_frame("project_left", subscription.stream.name, timezone.now(), data)
        self.writer.reply_nowait(frame)

    def reset(self, subscription: Subscription, reason: str) -> None:
        RESETS.add(reason)
        self._forget(subscription)
        self.writer.reply_nowait(reset_frame(subscription.stream.name, reason))

    def _forget(self, subscription: Subscription) -> None:
        if self.subscriptions.get(subscription.stream.name) is subscription:
            del self.subscriptions[subscription.stream.name]

    # Reading: what a socket that was handed over calls, and the consumer for one that was not

    def text_received(self, text: str) -> None:
        """A text frame within the allowed size."""
        self.receive_nowait(text)

    def binary_received(self, data: bytes) -> None:
        del data
        self.refuse_malformed(BadRequest("expected a text frame, got a binary one"))

    def descriptor_withdrawn(self) -> None:
        """Something waits before what is written next."""
        for subscription in self.subscriptions.values():
            subscription.leave_block()

    def disconnected(self, code: int | None) -> None:
        """The socket is no more, or (by ASGI) our close is on its way to the peer."""
        node = running_node()
        if node is not None:
            node.remove(self)
        self.let_go()
        CLOSES.add(code_label(code))
        logger.info("closed connection=%s code=%s", self.id, code)

    def receive_nowait(self, text: str) -> None:
        """Take one text frame: queue its command, or answer at once what cannot be queued."""
        try:
            command = parsed_object(text)
            number = command_id(command)
        except BadRequest as error:
            self.refuse_malformed(error)
            return
        self._malformed = 0
        try:
            self._commands().put_nowait(command)
        except RateLimited as error:
            COMMAND_ERRORS.add(NO_COMMAND, error.code)
            self._refuse(error_frame(number, error))

    def refuse_malformed(self, error: BadRequest) -> None:
        """There is no id to reply to, so the reply carries null; many in a row end the socket."""
        self._malformed += 1
        COMMAND_ERRORS.add(NO_COMMAND, error.code)
        self._refuse(error_frame(None, error))
        if self._malformed >= MALFORMED_LIMIT:
            self.close(CloseCode.BAD_REQUEST, "too many malformed frames")

    def _refuse(self, frame: bytes) -> None:
        """A refusal is made as fast as a peer can send: one that does not read them is closed,
        over the head of what it does not read."""
        if self.writer.writable:
            self.writer.reply_nowait(frame)
        elif not self.writer.closed:
            code, reason = CloseCode.RATE_LIMITED, '{"retry_after_ms":5000}'
            logger.info("closing connection=%s code=%d reason=%s", self.id, code, reason)
            self.writer.abandon(code, reason)
            self.end_subscriptions()

    def _commands(self) -> CommandQueue:
        if self._queue is None:
            self._queue = CommandQueue(self)
        return self._queue

    def rested(self) -> None:
        """Every command is answered."""
        self._queue = None

    def after_reply(self, step: Callable[[], None]) -> None:
        """Have `step` run directly behind the reply to the present command."""
        self._commands().after_reply(step)

    async def run_first(self, command: dict[str, Any]) -> None:
        """Run a command that the path implies, replied to with id 0. Raises what refused it."""
        await self._commands().run_first(command)

    # The sweep

    def sweep(self, turn: Round) -> None:
        """Called once a second: silence, heartbeat, the end of the credentials and of patience."""
        stalled_s = self.writer.stalled_s(turn.now)
        if self.writer.buffered:
            turn.waiting.append(self)
        expires_at = self.identity.expires_at
        if stalled_s >= turn.slow_timeout_s:
            self._give_up(stalled_s)
        elif expires_at is not None and expires_at <= turn.moment:
            self.close(CloseCode.UNAUTHORIZED, "credentials expired")
        else:
            if turn.beats(self.opened_at):
                self.writer.write_nowait(turn.heartbeat(self.subscriptions))
            self.writer.ping_when_silent(turn.pings)

    # The end

    def announce_shutdown(self, reconnect_after_ms: int) -> None:
        """Before a planned stop; the socket serves until it is closed. The first word stands: a
        stop that is hurried closes earlier, but its clients still come back spread out."""
        if self.leaving:
            return
        self.leaving = True
        data = {"reconnect_after_ms": reconnect_after_ms}
        self.writer.reply_nowait(signal_frame("server_shutdown", None, timezone.now(), data))

    def _give_up(self, stalled_s: float) -> None:
        """The peer took no byte for long: nothing is lost, it resumes from the log."""
        if self._abandoned:
            return
        self._abandoned = True
        logger.info("abandoning connection=%s stalled_s=%.1f", self.id, stalled_s)
        self.writer.abandon(CloseCode.SLOW_CONSUMER, f"took nothing for {stalled_s:.0f} s")
        self.end_subscriptions()

    def abandon_stalled(self, limit_s: float) -> bool:
        """Give it up if its peer has taken nothing for so long; whether that was so."""
        if self.writer.closed:
            return False
        stalled_s = self.writer.stalled_s(asyncio.get_running_loop().time())
        if stalled_s < limit_s:
            return False
        self._give_up(stalled_s)
        return True

    def close(self, code: CloseCode, reason: str) -> None:
        """Write nothing more and close after what is queued already."""
        if not self.writer.closed:
            logger.info("closing connection=%s code=%d reason=%s", self.id, code, reason)
            self.writer.close_nowait(code, reason)
        self.end_subscriptions()

    def end_subscriptions(self) -> None:
        for subscription in list(self.subscriptions.values()):
            subscription.end()
        self.subscriptions.clear()
        self.watch.stop()
        if self._catching_up is not None:
            self._catching_up.stop()

    def let_go(self) -> None:
        """The socket is gone, or its close is on the way: hold nothing for it any more."""
        self.end_subscriptions()
        if self._queue is not None:
            self._queue.stop()

    async def finish(self) -> None:
        """Let go, and wait until what was written is sent."""
        self.let_go()
        await self.writer.finished()


def command_id(command: dict[str, Any]) -> int:
    """Raises BadRequest."""
    value = command.get("id")
    if type(value) is not int or not 1 <= value <= MAX_COMMAND_ID:
        raise BadRequest(f"id: expected a positive integer, got {to_json(value)[:40].decode()}")
    return value
