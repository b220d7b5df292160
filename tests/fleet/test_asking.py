"""Nodes are asked what they hold; one that does not answer is named, and costs a second."""

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from realtime.fleet import asking
from realtime.fleet.asking import Answerer, Question, answered, ask
from realtime.fleet.sightings import Sighting, Wanted, in_order
from realtime.protocol.errors import Unavailable
from tests.fleet.conftest import Scenario
from tests.fleet.fakes import FakeConnection, FakeNode

if TYPE_CHECKING:
    from realtime.node import Node
    from realtime.shared.store import SharedStore


class FakeLayer:
    """Hands a node's messages to its answerer; groups in `lost` are not reached."""

    def __init__(self) -> None:
        self.answerers: dict[str, Answerer] = {}
        self.lost: set[str] = set()
        self.asked: list[str] = []

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.asked.append(group)
        if group not in self.lost:
            self.answerers[group].on_message(json.loads(json.dumps(message)))


class FakeHub:
    def spawn(self, work: Any) -> None:
        self.task = asyncio.ensure_future(work)


class Subscribed:
    def __init__(self, name: str, last: int, cursor: int) -> None:
        self.stream = type("Stream", (), {"name": name, "last": last})
        self.cursor = cursor
        self.state = type("State", (), {"name": "LIVE"})


def open_socket(node: FakeNode, user_id: int, age_s: float, **streams: int) -> FakeConnection:
    """A connection that is so far behind in these streams."""
    connection = node.open(user_id, age_s)
    found: Any = connection
    found.address, found.credential = "192.0.2.1", "session.abc"
    found.subscriptions = {name: Subscribed(name, 9, 9 - lag) for name, lag in streams.items()}
    found.writer.buffered = user_id
    return connection


def as_node(node: FakeNode) -> "Node":
    return cast("Node", node)


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> FakeLayer:
    found = FakeLayer()
    monkeypatch.setattr(asking, "get_channel_layer", lambda: found)
    return found


async def fleet(layer: FakeLayer, store: "SharedStore") -> tuple[FakeNode, FakeNode]:
    """Two listed nodes, with their answerers."""
    nodes = FakeNode("one"), FakeNode("two")
    for node in nodes:
        node.fleet = node.member(store)
        node.hub = FakeHub()  # type: ignore[attr-defined]
        await node.fleet.look()
        layer.answerers[f"node.{node.id}"] = Answerer(as_node(node), store)
    return nodes


def question(wanted: Wanted) -> Question:
    return Question("connections", wanted.as_arguments())


def test_all_nodes_answer(scenario: Scenario, layer: FakeLayer) -> None:
    """The own one without the layer; counts are of all, rows of those that are wanted."""

    async def body(store: "SharedStore") -> None:
        one, two = await fleet(layer, store)
        open_socket(one, 1, 5.0, status=0)
        open_socket(two, 1, 3.0)
        open_socket(two, 2, 1.0)
        answers = await ask(store, as_node(one), question(Wanted(user_id=1)))
        assert layer.asked == ["node.two"]
        assert answers.silent == []
        assert {node: told["total"] for node, told in answers.by_node.items()} == {
            "one": 1,
            "two": 2,
        }
        [row] = answers.by_node["two"]["connections"]
        seen = Sighting.of("two", row)
        assert (seen.user_id, seen.address, seen.credential) == (1, "192.0.2.1", "session")
        assert seen.open_s == pytest.approx(3.0, abs=2.0)

    scenario(body)


def test_silent_node_is_named_in_time(scenario: Scenario, layer: FakeLayer) -> None:
    """Its message is lost; what the others know is told nevertheless."""

    async def body(store: "SharedStore") -> None:
        one, _ = await fleet(layer, store)
        layer.lost.add("node.two")
        began = time.monotonic()
        answers = await ask(store, as_node(one), question(Wanted()))
        assert time.monotonic() - began < asking.ANSWER_WITHIN_S + 5.0
        assert (list(answers.by_node), answers.silent) == (["one"], ["two"])

    scenario(body)


def test_one_node_alone_is_asked(scenario: Scenario, layer: FakeLayer) -> None:
    async def body(store: "SharedStore") -> None:
        one, _ = await fleet(layer, store)
        answers = await ask(store, as_node(one), question(Wanted(node="two")), only="two")
        assert list(answers.by_node) == ["two"]
        answers = await ask(store, None, question(Wanted(node="gone")), only="gone")
        assert (answers.by_node, answers.silent) == ({}, [])

    scenario(body)


def test_node_answers_a_bounded_number_at_a_time(scenario: Scenario, layer: FakeLayer) -> None:
    """Whoever floods it with questions is not answered; later ones are."""

    async def body(store: "SharedStore") -> None:
        one, two = await fleet(layer, store)
        tasks: list[asyncio.Task[None]] = []
        two.hub.spawn = lambda work: tasks.append(asyncio.ensure_future(work))  # type: ignore[attr-defined]
        for number in range(100):
            message = {"id": str(number), "what": "connections"}
            layer.answerers["node.two"].on_message(
                {**message, "arguments": Wanted().as_arguments()}
            )
        assert len(tasks) == asking.UNDER_WAY
        await asyncio.gather(*tasks)
        assert "two" in (await ask(store, as_node(one), question(Wanted()))).by_node

    scenario(body)


def test_without_redis_a_node_knows_itself() -> None:
    """With memory:// there is one node; a command has none at all."""

    async def body() -> None:
        alone = FakeNode("alone")
        open_socket(alone, 1, 1.0)
        answers = await ask(None, as_node(alone), question(Wanted()))
        assert answers.by_node["alone"]["total"] == 1
        with pytest.raises(Unavailable):
            await ask(None, None, question(Wanted()))

    asyncio.run(body())


def test_rows_are_bounded_and_ordered() -> None:
    """The first 200 by age, by lag or by what waits; all are counted."""

    async def body() -> None:
        node = FakeNode("n")
        for number in range(300):
            open_socket(node, number, float(number), **{"project.1": number % 7})
        told = answered(as_node(node), question(Wanted()))
        assert (told["total"], told["matching"], len(told["connections"])) == (300, 300, 200)
        assert told["connections"][0]["user_id"] == 0
        told = answered(as_node(node), question(Wanted(order="behind", limit=5)))
        assert {row["lag"] for row in told["connections"]} == {6}
        assert told["connections"][0]["streams"] == [["project.1", "live", 6]]
        told = answered(as_node(node), question(Wanted(order="buffered", limit=2)))
        assert [row["buffered"] for row in told["connections"]] == [299, 298]
        rows = [Sighting.of("n", row) for row in told["connections"]]
        assert [one.buffered for one in in_order(rows[::-1], Wanted(order="buffered"))] == [
            299,
            298,
        ]

    asyncio.run(body())


def test_test_frame_reaches_its_socket_only() -> None:
    """A `warning_issued` without a stream, as clients know it."""

    async def body() -> None:
        node = FakeNode()
        one, other = open_socket(node, 1, 0.0), open_socket(node, 2, 0.0)
        written: dict[str, list[bytes]] = {one.id: [], other.id: []}
        for connection in (one, other):
            found: Any = connection.writer
            found.reply_nowait = written[connection.id].append
        asked = Question("test_frame", {"connection": one.id, "text": "hello"})
        assert answered(as_node(node), asked) is True
        [frame] = written[one.id]
        assert json.loads(frame)["type"] == "warning_issued"
        assert json.loads(frame)["data"] == {"code": "test", "text": "hello"}
        assert written[other.id] == []
        one.writer.closed = True
        assert answered(as_node(node), asked) is False

    asyncio.run(body())
