"""Collections that are small while they hold little: as a set and a dictionary, few or many."""

import random
from types import SimpleNamespace
from typing import Any

import pytest

from realtime.small import FEW, SmallSet, Subscriptions


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, 40])
def test_members_are_held_once_in_the_order_of_joining(count: int) -> None:
    held: SmallSet[object] = SmallSet()
    members = [object() for _ in range(count)]
    for member in [*members, *members]:
        held.add(member)
    assert list(held) == members
    assert len(held) == count
    held.discard(object())
    for left, member in enumerate(members, start=1):
        assert member in held
        held.discard(member)
        assert member not in held
        assert list(held) == members[left:]
    assert not held


@pytest.mark.parametrize("names", [1, FEW, 3 * FEW])
def test_subscriptions_are_as_a_dictionary(names: int) -> None:
    """A thousand random steps on both."""
    chance = random.Random(names)
    held, model = Subscriptions(), dict[str, Any]()
    for _ in range(1000):
        name = f"project.{chance.randrange(names)}"
        match chance.randrange(5):
            case 0 | 1:
                held[name] = model[name] = _subscription(name)
            case 2:
                assert held.pop(name, None) is model.pop(name, None)
            case 3 if name in model:
                del held[name]
                del model[name]
            case _:
                assert held.get(name) is model.get(name)
        assert (name in held) is (name in model)
        assert dict(held) == model
        assert len(held) == len(model)
        assert set(held.values()) == set(model.values())
    with pytest.raises(KeyError):
        del held["user.1"]
    held.clear()
    assert not held


class _Subscription:
    """What is asked of one."""

    def __init__(self, name: str) -> None:
        self.stream = SimpleNamespace(name=name)


def _subscription(name: str) -> Any:
    return _Subscription(name)
