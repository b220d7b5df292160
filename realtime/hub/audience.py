"""Who follows a stream: one by one, and in blocks of those who stand alike.

A fan-out costs a system call per reader, and nearly as much again if it looks at each: in a room of
a thousand their objects have gone cold since the last message. A block shares one cursor, and holds
for each member the descriptor to write to and nothing else that a fan-out needs.
"""

from array import array
from typing import TYPE_CHECKING, Protocol

from realtime.hub.slices import write_slice
from realtime.hub.subscription import SubscriptionState
from realtime.metrics.core import DELIVERIES
from realtime.protocol.batch import Batch, Codec
from realtime.small import SmallSet

if TYPE_CHECKING:
    from collections.abc import Iterator, KeysView

    from realtime.hub.subscription import Subscription

SLICE = 500  # readers served before heartbeats and other streams get their turn
BLOCKS_FROM = 8  # readers: fewer are not worth it


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

    __slots__ = ("_descriptors", "_members", "codec", "cursor")

    def __init__(self, cursor: int, codec: Codec) -> None:
        self.cursor = cursor
        self.codec = codec
        self._members: dict[Subscription, int] = {}  # to its descriptor
        self._descriptors: array[int] | None = None  # of all of them, in order, once written to

    @property
    def members(self) -> "KeysView[Subscription]":
        return self._members.keys()

    def add(self, subscription: "Subscription", descriptor: int) -> None:
        self._members[subscription] = descriptor
        self._descriptors = None
        subscription.block = self

    def remove(self, subscription: "Subscription") -> None:
        """Its cursor is its own again."""
        del self._members[subscription]
        self._descriptors = None
        subscription.block = None
        subscription.cursor = self.cursor

    def move_to(self, other: "Block") -> None:
        """All members, to one that stands like this. This one is empty then: who is just going over
        both would write to them twice."""
        members, self._members, self._descriptors = self._members, {}, None
        for subscription, descriptor in members.items():
            other.add(subscription, descriptor)

    def write(self, frames: Batch, last: int | None = None) -> None:
        """To every member; the cursor moves to `last` where that is given. Who does not take all of
        it at once leaves the block, and gets the rest through its own writer."""
        data = frames.form(self.codec)
        if last is not None:
            self.cursor = last
        DELIVERIES.total += len(frames) * len(self._members)
        if self._descriptors is None:
            self._descriptors = array("i", self._members.values())
        taken = write_slice(self._descriptors, data)
        if taken:
            self._hand_back(data, taken)

    def _hand_back(self, data: bytes, taken: dict[int, int]) -> None:
        """`taken` is by the place of a member."""
        members = list(self._members)
        leavers = [members[place] for place in taken]
        rests = [
            (one.sink.direct, count) for one, count in zip(leavers, taken.values(), strict=True)
        ]
        for subscription in leavers:  # all of them, before anything else is done with any
            subscription.leave_block()
        for direct, count in rests:
            if direct is not None:
                direct.finish_nowait(memoryview(data)[count:])

    def has_room(self, count: int, cursor: int, codec: Codec) -> bool:
        """For that many more who stand like this."""
        alike = self.cursor == cursor and self.codec is codec
        return alike and len(self._members) + count <= SLICE


class Audience:
    """The subscriptions of one stream. Iterating goes over all that there are at its beginning.
    `departures` counts those that have left."""

    __slots__ = ("blocks", "departures", "singles")

    def __init__(self) -> None:
        self.departures = 0
        self.singles: SmallSet[Subscription] = SmallSet()
        self.blocks: tuple[Block, ...] = ()

    def __len__(self) -> int:
        return len(self.singles) + sum(len(block.members) for block in self.blocks)

    def __bool__(self) -> bool:
        return len(self.singles) > 0 or any(block.members for block in self.blocks)

    def __iter__(self) -> "Iterator[Subscription]":
        members = [member for block in self.blocks for member in block.members]
        return iter([*self.singles, *members])

    def __contains__(self, subscription: "Subscription") -> bool:
        return subscription.block is not None or subscription in self.singles

    @property
    def behind(self) -> int:
        """How many are being caught up: none of those in blocks, who are level."""
        count = 0
        for one in self.singles:
            if one.state is SubscriptionState.CATCHING_UP:
                count += 1
        return count

    def add(self, subscription: "Subscription") -> None:
        self.singles.add(subscription)

    def discard(self, subscription: "Subscription") -> None:
        self.departures += 1
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
        block.add(subscription, descriptor)
        self.singles.discard(subscription)

    def release(self, subscription: "Subscription") -> None:
        """Take it out of its block, if it is in one."""
        block = subscription.block
        if block is not None:
            block.remove(subscription)
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
                block.move_to(kept[-1])
            elif size:
                kept.append(block)
        self.blocks = tuple(kept)
