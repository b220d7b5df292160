"""Collections that take little memory while they hold little, which most of a server's do.

There are some for every socket and every person. A set takes 216 bytes for one member, and with
thousands more than twice what a dictionary takes; a dictionary takes 232 for one.
"""

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from realtime.hub.subscription import Subscription

T = TypeVar("T")

FEW = 4


class SmallSet(Generic[T]):
    """In the order of joining; to be iterated over in copies."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: tuple[T, ...] | dict[T, None] = ()

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[T]:
        return iter(self._held)

    def __contains__(self, member: object) -> bool:
        return member in self._held

    def add(self, member: T) -> None:
        if isinstance(self._held, dict):
            self._held[member] = None
        elif member not in self._held:
            held = (*self._held, member)
            self._held = held if len(held) <= FEW else dict.fromkeys(held)

    def discard(self, member: T) -> None:
        if isinstance(self._held, dict):
            self._held.pop(member, None)
        else:
            self._held = tuple(one for one in self._held if one != member)


class Subscriptions(MutableMapping[str, "Subscription"]):
    """A socket's subscriptions by the names of their streams, which they know themselves."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: tuple[Subscription, ...] | dict[str, Subscription] = ()

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[str]:
        if isinstance(self._held, dict):
            return iter(self._held)
        return iter([one.stream.name for one in self._held])

    def __contains__(self, name: object) -> bool:
        if isinstance(self._held, dict):
            return name in self._held
        return any(one.stream.name == name for one in self._held)

    def __getitem__(self, name: str) -> "Subscription":
        if isinstance(self._held, dict):
            return self._held[name]
        for one in self._held:
            if one.stream.name == name:
                return one
        raise KeyError(name)

    def __setitem__(self, name: str, subscription: "Subscription") -> None:
        """`name` is that of the subscription's stream."""
        if isinstance(self._held, dict):
            self._held[name] = subscription
            return
        held = (*(one for one in self._held if one.stream.name != name), subscription)
        self._held = held if len(held) <= FEW else {one.stream.name: one for one in held}

    def __delitem__(self, name: str) -> None:
        if isinstance(self._held, dict):
            del self._held[name]
            return
        held = tuple(one for one in self._held if one.stream.name != name)
        if len(held) == len(self._held):
            raise KeyError(name)
        self._held = held
