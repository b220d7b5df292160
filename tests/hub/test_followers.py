"""The set of a stream's subscriptions, few or many."""

from typing import Any

import pytest

from realtime.hub.followers import FEW, Followers


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, 40])
def test_followers_are_held_once_in_the_order_of_joining(count: int) -> None:
    followers, members = Followers(), [_member() for _ in range(count)]
    for member in [*members, *members]:
        followers.add(member)
    assert list(followers) == members
    assert len(followers) == count
    followers.discard(_member())
    for left, member in enumerate(members, start=1):
        assert member in followers
        followers.discard(member)
        assert member not in followers
        assert list(followers) == members[left:]
    assert not followers


def _member() -> Any:
    return object()
