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
    """In the order of joining; to be iterated over in copies. Members may not be tuples or dicts:
    one that is alone is held by itself."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: T | tuple[T, ...] | dict[T, None] = ()

    def _members(self) -> tuple[T, ...] | dict[T, None]:
        held = self._held
        return held if isinstance(held, tuple | dict) else (held,)

    def __len__(self) -> int:
        return len(self._members())

    def __iter__(self) -> Iterator[T]:
        return iter(self._members())

    def __contains__(self, member: object) -> bool:
        return member in self._members()

    def add(self, member: T) -> None:
        members = self._members()
        if isinstance(members, dict):
            members[member] = None
        elif member not in members:
            self._hold((*members, member))

    def discard(self, member: T) -> None:
        members = self._members()
        if isinstance(members, dict):
            members.pop(member, None)
        elif member in members:
            self._hold(tuple(one for one in members if one != member))

    def _hold(self, members: tuple[T, ...]) -> None:
        if len(members) == 1:
            self._held = members[0]
        else:
            self._held = members if len(members) <= FEW else dict.fromkeys(members)


class Subscriptions(MutableMapping[str, "Subscription"]):
    """A socket's subscriptions by the names of their streams, which they know themselves."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: Subscription | tuple[Subscription, ...] | dict[str, Subscription] = ()

    def _members(self) -> "tuple[Subscription, ...] | dict[str, Subscription]":
        held = self._held
        return held if isinstance(held, tuple | dict) else (held,)

    def __len__(self) -> int:
        return len(self._members())

    def __iter__(self) -> Iterator[str]:
        members = self._members()
        if isinstance(members, dict):
            return iter(members)
        return iter([one.stream.name for one in members])

    def __contains__(self, name: object) -> bool:
        members = self._members()
        if isinstance(members, dict):
            return name in members
        return any(one.stream.name == name for one in members)

    def __getitem__(self, name: str) -> "Subscription":
        members = self._members()
        if isinstance(members, dict):
            return members[name]
        for one in members:
            if one.stream.name == name:
                return one
        raise KeyError(name)

    def __setitem__(self, name: str, subscription: "Subscription") -> None:
        """`name` is that of the subscription's stream."""
        members = self._members()
        if isinstance(members, dict):
            members[name] = subscription
        else:
            self._hold((*(one for one in members if one.stream.name != name), subscription))

    def __delitem__(self, name: str) -> None:
        members = self._members()
        if isinstance(members, dict):
            del members[name]
            return
        left = tuple(one for one in members if one.stream.name != name)
        if len(left) == len(members):
            raise KeyError(name)
        self._hold(left)

    def _hold(self, members: "tuple[Subscription, ...]") -> None:
        if len(members) == 1:
            self._held = members[0]
        elif len(members) <= FEW:
            self._held = members
        else:
            self._held = {one.stream.name: one for one in members}
