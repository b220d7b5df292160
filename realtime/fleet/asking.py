"""Questions that every node answers: asked over the channel layer, answered into Redis.

A question waits for 1 s at most. A node that has not answered by then is named: it hangs, the
message was lost, or it has just died. What is asked of the own node takes neither way. An answer
lives for 10 s; a node works on 8 questions at a time and lets further ones go unanswered.
"""

import asyncio
import json
import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from channels.layers import get_channel_layer
from django.utils import timezone

from realtime.bans import networks
from realtime.fleet import directory
from realtime.fleet.cleaning import cleaned
from realtime.fleet.member import node_group
from realtime.fleet.sightings import sighted, sighted_one
from realtime.protocol.errors import Unavailable
from realtime.protocol.frames import signal_frame
from realtime.shared.store import BACKGROUND_LIMIT_S, SharedStore

if TYPE_CHECKING:
    from realtime.node import Node

ASK_MESSAGE = "realtime.ask"
ANSWER_WITHIN_S = 1.0
LOOK_EVERY_S = 0.02
ANSWER_LIFE_S = 10
UNDER_WAY = 8
TEST_CODE = "test"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """`what` is one of ANSWERS; `arguments` are JSON values."""

    what: str
    arguments: dict[str, Any]
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True, slots=True)
class Answers:
    """By node; `silent` are those that should have answered and did not."""

    by_node: dict[str, Any]
    silent: list[str]


def test_frame(node: "Node", *, connection: str, text: str) -> bool:
    """Send one socket a `warning_issued` of its own; whether it is here."""
    for one in node.connections:
        if one.id == connection and not one.writer.closed:
            data = {"code": TEST_CODE, "text": text}
            one.writer.reply_nowait(signal_frame("warning_issued", None, timezone.now(), data))
            return True
    return False


def bans_changed(node: "Node") -> bool:
    """Have the banned addresses read now, and the sockets from there closed."""
    networks.table.expire()
    node.hub.spawn(networks.enforce())
    return True


ANSWERS: dict[str, Callable[..., Any]] = {
    "bans": bans_changed,
    "connections": sighted,
    "connection": sighted_one,
    "clean": cleaned,
    "test_frame": test_frame,
}


class Answerer:
    """The node's side."""

    def __init__(self, node: "Node", store: SharedStore | None) -> None:
        self._node = node
        self._store = store
        self._under_way = 0

    def on_message(self, message: dict[str, Any]) -> None:
        """A question, as a message of this node's group."""
        if self._store is not None and self._under_way < UNDER_WAY:
            self._under_way += 1
            question = Question(str(message["what"]), dict(message["arguments"]), message["id"])
            self._node.hub.spawn(self._answer(self._store, question))

    async def _answer(self, store: SharedStore, question: Question) -> None:
        try:
            answer = json.dumps([self._node.id, answered(self._node, question)])
            key = _key(store, question)

            async def leave(redis: Any) -> None:
                async with redis.pipeline() as pipe:
                    pipe.rpush(key, answer)
                    pipe.expire(key, ANSWER_LIFE_S)
                    await pipe.execute()

            await store.call(leave, limit_s=BACKGROUND_LIMIT_S)
        except Unavailable as error:
            logger.info("question not answered: %s", error.message)
        finally:
            self._under_way -= 1


def answered(node: "Node", question: Question) -> Any:
    return ANSWERS[question.what](node, **question.arguments)


async def ask(
    store: SharedStore | None, own: "Node | None", question: Question, only: str | None = None
) -> Answers:
    """What all nodes answer, or the one node `only`. Raises Unavailable when the registry cannot
    be asked who they are; without one, the own node is all there is."""
    by_node: dict[str, Any] = {}
    if own is not None and only in {None, own.id}:
        by_node[own.id] = answered(own, question)
    if store is None or (own is not None and only == own.id):
        if not by_node:
            raise Unavailable("REDIS_URL: expected a Redis that nodes share, got memory://")
        return Answers(by_node, [])
    known = {node.id for node in await directory.nodes(store) if only in {None, node.id}}
    waiting = known - by_node.keys()
    if waiting:
        await _collect(store, question, waiting, by_node)
    return Answers(by_node, sorted(waiting))


async def _collect(
    store: SharedStore, question: Question, waiting: set[str], by_node: dict[str, Any]
) -> None:
    """Ask, and move from `waiting` to `by_node` whoever answers in time."""
    key = _key(store, question)
    deadline = asyncio.get_running_loop().time() + ANSWER_WITHIN_S
    await _send(question, sorted(waiting))
    while waiting and asyncio.get_running_loop().time() < deadline:
        told: Any = await store.call(
            lambda redis: redis.lpop(key, len(waiting)), limit_s=BACKGROUND_LIMIT_S
        )
        for answer in told or ():
            node, content = json.loads(answer)
            waiting.discard(node)
            by_node[node] = content
        if not told:
            await asyncio.sleep(LOOK_EVERY_S)


async def _send(question: Question, nodes: Iterable[str]) -> None:
    """At most for half of the time that there is; nodes that were not told will be silent."""
    layer = get_channel_layer()
    message = {
        "type": ASK_MESSAGE,
        "id": question.id,
        "what": question.what,
        "arguments": question.arguments,
    }
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S / 2):
            for node in nodes:
                await layer.group_send(node_group(node), message)
    except Exception as error:  # noqa: BLE001 - the layer may fail in any way
        logger.info("nodes not asked error=%r", error)


def _key(store: SharedStore, question: Question) -> str:
    return store.key("fleet", "answers", question.id)
