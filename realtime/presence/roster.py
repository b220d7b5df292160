"""A node's copy of who is in one stream."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sys import intern

from pydantic_core import to_json

ONLINE = "online"
LISTED_PEOPLE = 500  # in a reply; above it the list is cut, and says so


@dataclass(frozen=True, slots=True)
class Difference:
    """One person's state changed from `former`; "offline" is a state like the others here."""

    user_id: int
    name: str
    state: str
    former: str

    @property
    def signal(self) -> str:
        """The type of the catalogue that tells it."""
        if self.former == "offline":
            return "user_joined"
        return "user_left" if self.state == "offline" else "user_status_changed"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at the store said: the position after its own differences, and these.

    people: everybody as `{user: (name, state)}` where the node did not know the state before.
    """

    nonce: str
    counter: int
    differences: Sequence[Difference]
    people: Mapping[int, tuple[str, str]] | None


class Roster:
    """Follows the store by its own differences while nobody else makes any, else by whole lists.

    Names are those of the identities here, once each: rooms hold thousands of people.
    """

    __slots__ = ("_json", "_names", "_rows", "_states", "counter", "nonce")

    def __init__(self) -> None:
        self.nonce = ""
        self.counter = -1
        self._names: dict[int, str] = {}
        self._states: dict[int, str] = {}  # of those who are not simply online
        self._rows: dict[int, bytes] = {}  # of those people who were listed since they changed
        self._json: bytes | None = None

    def __len__(self) -> int:
        return len(self._names)

    @property
    def known(self) -> bool:
        return bool(self.nonce)

    def see(self, seen: Seen) -> None:
        """Looks may come back in another order than they were taken; an older one changes nothing.

        What this copy could not follow, the next look brings as a list.
        """
        before = seen.counter - len(seen.differences)
        if seen.people is not None:
            if seen.nonce == self.nonce and seen.counter < self.counter:
                return
            self._names = {key: intern(name) for key, (name, _) in seen.people.items()}
            self._states = {
                key: state for key, (_, state) in seen.people.items() if state != ONLINE
            }
            self._rows.clear()
        elif seen.nonce == self.nonce and before == self.counter:
            for one in seen.differences:
                self._rows.pop(one.user_id, None)
                self._states.pop(one.user_id, None)
                if one.state == "offline":
                    self._names.pop(one.user_id, None)
                    continue
                self._names[one.user_id] = intern(one.name)
                if one.state != ONLINE:
                    self._states[one.user_id] = one.state
        else:
            return
        if (seen.nonce, seen.counter) != self.position or seen.people is not None:
            self._json = None
        self.nonce, self.counter = seen.nonce, seen.counter

    @property
    def position(self) -> tuple[str, int]:
        return self.nonce, self.counter

    def as_json(self) -> bytes:
        """`{users: [{user, state}], nonce, counter}`, by user id; `cut` where some are left out.

        Encoded once for all who are told the same, and each person once for all who are told of
        them: of a crowd that comes every reply has another list.
        """
        if self._json is None:
            listed = sorted(self._names)[:LISTED_PEOPLE]
            rows = self._rows
            for key in listed:
                if key not in rows:
                    person = {"id": key, "name": self._names[key]}
                    state = self._states.get(key, ONLINE)
                    rows[key] = to_json({"user": person, "state": state})
            position = to_json({"nonce": self.nonce, "counter": self.counter})
            cut = b',"cut":true}' if len(listed) < len(self._names) else b"}"
            users = b",".join([rows[key] for key in listed])
            self._json = b'{"users":[%b],%b%b' % (users, position[1:-1], cut)
        return self._json
