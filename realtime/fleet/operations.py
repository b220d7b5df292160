"""What operators do with the fleet: look at it, close a socket, close all sockets of a person.

Synchronous, for commands, the admin and REST views; the crossing to the event loop is in `_ask`.
A person is disconnected through the log, which needs no Redis; a single socket through the group of
its node and, because a message may be lost, through an order that the node finds within 5 s.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from channels.layers import get_channel_layer
from django.db import transaction
from redis.asyncio import Redis

from realtime.audit.recording import record_acting
from realtime.fleet import directory
from realtime.fleet.asking import Answers, Question, ask
from realtime.fleet.lease import Order
from realtime.fleet.member import CLOSE_MESSAGE, node_group
from realtime.fleet.records import ConnectionRecord, Keys, NodeRecord
from realtime.fleet.sightings import Sighting, Wanted, in_order
from realtime.log.locks import lock_streams, own_transaction
from realtime.node import Node, process_node
from realtime.protocol.errors import NotFound, Unavailable
from realtime.protocol.streams import user_stream
from realtime.retrying import retried
from realtime.security.endings import DISCONNECTED, KICKED, publish_ending
from realtime.shared.store import BACKGROUND_LIMIT_S, SharedStore, shared_store

ORDER_LIFE_S = 60
MAX_ORDERS = 1_000  # per node; the oldest go first
MAX_REASON_BYTES = 120  # RFC 6455, section 5.5, allows 123
ANSWER_LIMIT_S = 5.0
TEST_TEXT = "A test frame, sent by an operator."

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """`connections` are the first of those `matching`; `total` are all of the nodes that
    `answered`; of those that were `silent` nothing is known."""

    connections: list[Sighting]
    total: int
    matching: int
    answered: list[str]
    silent: list[str]


@dataclass(frozen=True, slots=True)
class Counts:
    """Open sockets by node; of those that were `silent` nothing is known."""

    by_node: dict[str, int]
    silent: list[str]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Sockets that each node has given up; of those that were `silent` nothing is known."""

    closed: dict[str, int]
    silent: list[str]


def list_nodes() -> list[NodeRecord]:
    """Every node whose lease is in force. Raises Unavailable."""
    return _ask(directory.nodes)


def list_connections(user_id: int | None = None) -> list[ConnectionRecord]:
    """Every socket, or those of one person. Raises Unavailable."""
    return _ask(lambda store: directory.connections(store, user_id=user_id))


def look_at_connections(wanted: Wanted) -> Seen:
    """The first connections that are wanted, asked of their nodes now, and counts of all.

    Takes 1 s at most where a node does not answer; that one is named. Raises Unavailable.
    """
    answers = _ask_nodes(Question("connections", wanted.as_arguments()), wanted.node)
    found = [
        Sighting.of(node, one)
        for node, told in answers.by_node.items()
        for one in told["connections"]
    ]
    return Seen(
        in_order(found, wanted),
        total=sum(told["total"] for told in answers.by_node.values()),
        matching=sum(told["matching"] for told in answers.by_node.values()),
        answered=sorted(answers.by_node),
        silent=answers.silent,
    )


def look_at_connection(connection_id: str) -> Sighting:
    """One connection, asked of its node now.

    Raises NotFound when every node has answered that it is not there, Unavailable.
    """
    answers = _ask_nodes(Question("connection", {"connection": connection_id}), None)
    for node, told in answers.by_node.items():
        if told is not None:
            return Sighting.of(node, told)
    if answers.silent:
        raise Unavailable("expected every node to answer, got silence of some; it may be there")
    raise _unknown(connection_id)


def count_connections() -> Counts:
    """Asked of the nodes now. Raises Unavailable."""
    answers = _ask_nodes(Question("connections", Wanted(limit=0).as_arguments()), None)
    return Counts({node: told["total"] for node, told in answers.by_node.items()}, answers.silent)


def clean_up_connections(stalled_s: float) -> Cleaned:
    """Have every node give up sockets whose peers have taken nothing for so long, and write its
    list of sockets afresh. Raises Unavailable."""
    with own_transaction():
        # Before it: what cannot be recorded is not done.
        details = {"stalled_s": stalled_s}
        record_acting(
            "connections_cleaned", target="connections", result="ordered", details=details
        )
    answers = _ask_nodes(Question("clean", {"stalled_s": stalled_s}), None)
    return Cleaned(answers.by_node, answers.silent)


def tell_bans() -> None:
    """Have every node look at the banned addresses now; one that does not answer does so within
    5 s. Never raises for Redis."""
    try:
        _ask_nodes(Question("bans", {}), None)
    except Unavailable as error:
        logger.info("nodes not told of a ban, they look by themselves: %s", error.message)


def _unknown(connection_id: str) -> NotFound:
    return NotFound(f"expected an open connection, got {connection_id[:40]!r}")


def send_test_frame(connection_id: str, text: str = TEST_TEXT) -> None:
    """Write one socket a `warning_issued` with code `test`, wherever it is.

    Raises NotFound when no node that answers has it, Unavailable.
    """
    arguments = {"connection": connection_id, "text": text}
    answers = _ask_nodes(Question("test_frame", arguments), None)
    if not any(answers.by_node.values()):
        raise _unknown(connection_id)


def _ask_nodes(question: Question, only: str | None) -> Answers:
    node = process_node()
    if node is not None:
        return _in_loop(node, ask(node.shared, node, question, only))
    return asyncio.run(_with_own_store(lambda store: ask(store, None, question, only)))


def close_connection(connection_id: str, reason: str = KICKED) -> None:
    """Close one socket with 4409, wherever it is. The person may come again.

    Not to be called in an event loop. Raises NotFound when no node lists it (a socket is listed
    within a second of its opening), Unavailable when the registry cannot be asked.
    """
    with own_transaction():
        # Before it: what cannot be recorded is not done.
        record_acting(
            "connection_closed", target=f"connection.{connection_id[:40]}", result="ordered"
        )
    order = Order(connection_id, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))
    node = process_node()
    if node is not None and _in_loop(node, _close_here(node, order)):
        return
    _ask(lambda store: _order(store, order))


@retried
def close_user(user_id: int) -> None:
    """Close every socket of a person with 4409, whatever Redis does.

    An ending in the log, so a node that is cut off now closes them when it is back, and nothing
    reaches them past it. Credentials stay valid: to keep somebody out, ban them.
    Raises NotFound, Unavailable.
    """
    with transaction.atomic():
        lock_streams(user_stream(user_id))
        text = "An administrator has disconnected you."
        publish_ending(user_id, f"user.{user_id}", text, kind=DISCONNECTED)
        record_acting("person_disconnected", target=user_stream(user_id))


async def _order(store: SharedStore, order: Order) -> None:
    """Raises NotFound, Unavailable."""
    found = await directory.find_connection(store, order.connection_id)
    if found is None:
        raise _unknown(order.connection_id)
    key = Keys.of(store, found.node).orders

    async def leave(redis: Redis) -> None:
        async with redis.pipeline() as pipe:
            pipe.rpush(key, json.dumps([order.connection_id, order.reason]))
            pipe.ltrim(key, -MAX_ORDERS, -1)
            pipe.expire(key, ORDER_LIFE_S)
            await pipe.execute()

    await store.call(leave, limit_s=BACKGROUND_LIMIT_S)
    message = {"type": CLOSE_MESSAGE, "connection": order.connection_id, "reason": order.reason}
    try:
        async with asyncio.timeout(BACKGROUND_LIMIT_S):
            await get_channel_layer().group_send(node_group(found.node), message)
    except Exception as error:  # noqa: BLE001 - the layer may fail in any way; the order stands
        logger.info("node not told, it finds the order node=%s error=%r", found.node, error)


async def _close_here(node: Node, order: Order) -> bool:
    return node.fleet.close(order)


def _ask(work: Callable[[SharedStore], Awaitable[T]]) -> T:
    """Run `work` with the process's store in its node's loop, or with one of its own.

    Raises Unavailable, and what `work` raises.
    """
    node = process_node()
    if node is not None:
        return _in_loop(node, _with_store(node.shared, work))
    return asyncio.run(_with_own_store(work))


async def _with_own_store(work: Callable[[SharedStore], Awaitable[T]]) -> T:
    store = shared_store()
    try:
        return await _with_store(store, work)
    finally:
        if store is not None:
            await store.close()


async def _with_store(store: SharedStore | None, work: Callable[[SharedStore], Awaitable[T]]) -> T:
    if store is None:
        raise Unavailable("REDIS_URL: expected a Redis that nodes share, got memory://")
    return await work(store)


def _in_loop(node: Node, work: Coroutine[Any, Any, T]) -> T:
    waiting = asyncio.run_coroutine_threadsafe(work, node.loop)
    try:
        return waiting.result(ANSWER_LIMIT_S)
    except TimeoutError as error:
        waiting.cancel()
        raise Unavailable(
            f"expected an answer of the fleet within {ANSWER_LIMIT_S:g} s, got none"
        ) from error
