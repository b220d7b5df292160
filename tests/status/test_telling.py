"""What a node tells its own readers, and what it leaves to the signal that came already."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from realtime import publisher
from status.telling import Teller


def view(state: str) -> dict[str, Any]:
    return {
        "state": state,
        "parts": {"redis": state},
        "texts": {},
        "nodes": 1,
        "values": {"redis.clients": 1.0},
    }


class Desk:
    """A teller, and what its readers heard: the node is an id-less thing with followers."""

    def __init__(self, followers: int = 1) -> None:
        stream = SimpleNamespace(audience=[object()] * followers)
        node: Any = SimpleNamespace(hub=SimpleNamespace(streams={"status": stream}))
        self.teller = Teller(node)
        self.heard: list[dict[str, Any]] = []
        publisher.attach_local_hub(lambda *_: None, self._hear)

    def _hear(self, stream: str, after: int, frame: bytes) -> None:
        self.heard.append(json.loads(frame))

    def states(self) -> list[str]:
        """Of the updates since the last call."""
        heard, self.heard = self.heard, []
        return [one["data"]["state"] for one in heard if one["type"] == "system_status_update"]


@pytest.fixture(autouse=True)
def _detached() -> Iterator[None]:
    yield
    publisher.detach_local_hub()


def test_a_signal_that_was_lost_is_made_up_for() -> None:
    """By the version on the board; one that was heard is not told twice."""
    desk = Desk()
    desk.teller.board(view("ok"), 1)
    assert desk.states() == []  # who subscribes has a snapshot
    desk.teller.heard("status", {"version": 2})
    desk.teller.board(view("down"), 2)
    assert desk.states() == []
    desk.teller.board(view("ok"), 3)
    desk.teller.board(view("ok"), 3)
    assert desk.states() == ["ok"]


def test_numbers_come_only_where_somebody_listens() -> None:
    """At every look at the board."""
    desk = Desk()
    desk.teller.board(view("ok"), 1)
    desk.teller.board(view("ok"), 1)
    assert [one["data"]["values"] for one in desk.heard] == [{"redis.clients": 1.0}] * 2
    deserted = Desk(followers=0)
    deserted.teller.board(view("ok"), 1)
    deserted.teller.board(view("down"), 2)
    assert deserted.heard == []


def test_after_a_time_alone_the_board_is_told_again() -> None:
    """Even where it says what it said before: readers heard something else meanwhile."""
    desk = Desk()
    desk.teller.board(view("ok"), 1)
    desk.teller.alone(view("down"))
    desk.teller.alone(view("down"))
    assert desk.states() == ["down"]
    desk.teller.board(view("ok"), 1)
    assert desk.states() == ["ok"]
