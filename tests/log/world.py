"""What the tests of the log look at: stored frames, and threads that start together."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from chat.models import ChatSession, Memory, Message, Project, User
from realtime.models import Event, Stream
from realtime.protocol.streams import project_stream, user_stream


@dataclass
class World:
    """A project of Ada's in which Bob is a member."""

    ada: User
    bob: User
    project: Project
    trimmable: int = 0  # the seq up to which a test lets retention go

    @property
    def stream(self) -> str:
        return project_stream(self.project.pk)

    @property
    def session(self) -> ChatSession:
        found: ChatSession = self.project.sessions.earliest("pk")
        return found

    def message(self, body: str = "hello", **fields: Any) -> Message:
        """Not saved yet."""
        given = {"project": self.project, "session": self.session, "author": self.ada, **fields}
        return Message(body=body, **given)

    def memory(self, title: str = "fact", **fields: Any) -> Memory:
        """Not saved yet."""
        return Memory(project=self.project, title=title, **fields)


def head(stream: str) -> int:
    return int(Stream.objects.get(name=stream).head)


def frames(stream: str, after: int = 0) -> list[dict[str, Any]]:
    """The stored frames, decoded, each with the seq of its row; unbroken from floor to head."""
    rows = list(Event.objects.filter(stream__name=stream).order_by("seq"))
    floor = Stream.objects.get(name=stream).floor
    assert [row.seq for row in rows] == list(range(floor + 1, head(stream) + 1))
    decoded = [json.loads(bytes(row.frame)) for row in rows]
    assert [frame["seq"] for frame in decoded] == [row.seq for row in rows]
    assert all(frame["stream"] == stream for frame in decoded)
    return [frame for frame in decoded if frame["seq"] > after]


def types(stream: str, after: int = 0) -> list[str]:
    return [frame["type"] for frame in frames(stream, after)]


def own_stream(user: User) -> str:
    return user_stream(user.pk)


@contextmanager
def rolled_back() -> Iterator[None]:
    """A block of a transaction, or a savepoint in one, that fails at its end."""
    with suppress(ZeroDivisionError), transaction.atomic():
        yield
        raise ZeroDivisionError


def together(*works: Callable[[], Any]) -> list[Any]:
    """Run each in a thread of its own, begun at the same time; what they returned or raised."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        try:
            start.wait(10)
            return work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))
