"""Who follows a stream: one by one, and in blocks of those who stand alike.

A fan-out costs a system call per reader, and nearly as much again if it looks at each: in a room of
a thousand their objects have gone cold since the last message. A block shares one cursor, and holds
for each member the descriptor to write to and nothing else that a fan-out needs.
"""

import os
from typing import TYPE_CHECKING, Protocol

from realtime.metrics.core import DELIVERIES
from realtime.protocol.batch import Batch, Codec
from realtime.small import SmallSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from realtime.hub.subscription import Subscription

SLICE = 500  # readers served before heartbeats and other streams get their turn
BLOCKS_FROM = 8  # readers: fewer are not worth it

write = os.write


class Direct(Protocol):
    """A sink's socket, where nothing waits before what is written next."""

    @property
    def codec(self) -> Codec:
        """What makes one write of a batch of frames."""

    @property
    def descriptor(self) -> int:
        """Where to write: -1 where something waits, or nothing may be written this way. Whoever is
        in a block must leave it before it changes."""

    def finish_nowait(self, rest: memoryview) -> None:
        """Take over what the descriptor did not take, which is not written to again."""


class Block:
    """Up to 500 live subscriptions that have the same cursor and the same codec."""

    __slots__ = ("codec", "cursor", "members")

    def __init__(self, cursor: int, codec: Codec) -> None:
        self.cursor = cursor
        self.codec = codec
        self.members: dict[Subscription, int] = {}  # to its descriptor

    def write(self, frames: Batch, last: int | None = None) -> None:
        """To every member; the cursor moves to `last` where that is given. Who does not take all of
        it at once leaves the block, and gets the rest through its own writer."""
        data = frames.form(self.codec)
        if last is not None:
            self.cursor = last
        size = len(data)
        DELIVERIES.total += len(frames) * len(self.members)
        put = write
        taken: dict[int, int] = {}  # by those who took less
        for descriptor in self.members.values():
            try:
                count = put(descriptor, data)
            except OSError:  # full, or gone: the transport finds out which
                count = 0
            if count != size:
                taken[descriptor] = count
        if taken:
            self._hand_back(data, taken)

    def _hand_back(self, data: bytes, taken: dict[int, int]) -> None:
        leavers = [one for one, descriptor in self.members.items() if descriptor in taken]
        rests = [(one.sink.direct, taken[self.members[one]]) for one in leavers]
        for subscription in leavers:  # all of them, before anything else is done with any
            subscription.leave_block()
        for direct, count in rests:
            if direct is not None:
                direct.finish_nowait(memoryview(data)[count:])

    def has_room(self, count: int, cursor: int, codec: Codec) -> bool:
        """For that many more who stand like this."""
        alike = self.cursor == cursor and self.codec is codec
        return alike and len(self.members) + count <= SLICE


class Audience:
    """The subscriptions of one stream. Iterating goes over all that there are at its beginning."""

    __slots__ = ("blocks", "singles")

    def __init__(self) -> None:
        self.singles: SmallSet[Subscription] = SmallSet()
        self.blocks: tuple[Block, ...] = ()

    def __len__(self) -> int:
        return len(self.singles) + sum(len(block.members) for block in self.blocks)

    def __iter__(self) -> "Iterator[Subscription]":
        members = [member for block in self.blocks for member in block.members]
        return iter([*self.singles, *members])

    def __contains__(self, subscription: "Subscription") -> bool:
        return subscription.block is not None or subscription in self.singles

    def add(self, subscription: "Subscription") -> None:
        self.singles.add(subscription)

    def discard(self, subscription: "Subscription") -> None:
        self.release(subscription)
        self.singles.discard(subscription)

    def settle(self, subscription: "Subscription") -> None:
        """Put a live one into a block, if it may be written to directly."""
        direct = subscription.sink.direct
        if direct is None or (descriptor := direct.descriptor) < 0:
            return
        cursor, codec = subscription.cursor, direct.codec
        for block in self.blocks:
            if block.has_room(1, cursor, codec):
                break
        else:
            block = Block(cursor, codec)
            self.blocks = (*self.blocks, block)
        block.members[subscription] = descriptor
        subscription.block = block
        self.singles.discard(subscription)

    def release(self, subscription: "Subscription") -> None:
        """Take it out of its block, if it is in one."""
        block = subscription.block
        if block is not None:
            del block.members[subscription]
            subscription.block = None
            subscription.cursor = block.cursor
            self.singles.add(subscription)

    def dissolve(self, block: Block) -> None:
        for subscription in list(block.members):
            self.release(subscription)

    def compact(self) -> None:
        """Join blocks that have shrunk, and forget empty ones."""
        kept: list[Block] = []
        for block in self.blocks:
            size = len(block.members)
            if kept and kept[-1].has_room(size, block.cursor, block.codec):
                kept[-1].members.update(block.members)
                for subscription in block.members:
                    subscription.block = kept[-1]
                block.members.clear()  # else who is just going over the blocks writes to leavers
            elif size:
                kept.append(block)
        self.blocks = tuple(kept)
