"""An opened stream over the log in memory, as the tests of streams tell their stories."""

import asyncio
from collections.abc import Awaitable, Callable

from realtime.hub.stream import HubStream
from realtime.log.entries import Entry
from tests.hub.fakes import NAME, Log, Reader, Tasks


class Scene:
    """An opened stream over a log that answers at once."""

    def __init__(self, committed: int = 0) -> None:
        self.log, self.tasks = Log(), Tasks()
        for _ in range(committed):
            self.log.commit()
        self.stream = HubStream(NAME, self.log, self.tasks.spawn)  # type: ignore[arg-type]
        self.log.stream = self.stream

    def reader(self, user: int = 1) -> Reader:
        made, head = Reader(user, self.log, self.log.epoch), self.log.head
        made.follow(self.stream, cursor=head, authorized_at=head, target=head)
        return made

    def arrive(self, *entries: Entry) -> None:
        assert self.stream.arrive(self.log.epoch, entries)

    def check(self) -> None:
        self.stream.check(self.log.state, self.stream.noted())


def play(scene: Scene, story: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        await scene.stream.open()
        await story(scene)
        await scene.tasks.settle()

    asyncio.run(run())


def catch_up(scene: Scene, reader: Reader) -> None:
    """As a socket's task does, from the ring or straight from the log."""
    subscription = reader.subscription
    assert subscription is not None
    while not subscription.go_live():
        cursor = subscription.cursor
        entries = scene.stream.ring.after(cursor) or scene.log.entries[cursor : cursor + 100]
        assert subscription.take_page(entries)
