"""Who is typing. Signals only: nothing is stored, and a lost one expires by itself.

Each node tells of the typists on its own sockets (`typing_indicator`, `typing_stop`), hears those
of all nodes, and gives its own readers the list of everybody (`user_typing`).
"""

import time
from dataclasses import dataclass, field
from typing import Any

from chat.models import User
from realtime.log.signalling import register_listener, signal, signal_here
from realtime.people import person
from realtime.protocol.streams import project_stream
from realtime.sockets.sweep import register_sweep

EXPIRES_S = 6.0
REPEAT_S = 3.0  # a start is told again at most this often while keys are pressed
HEARD_S = EXPIRES_S + REPEAT_S  # the last start heard may be that much older than the last key
LIST_EVERY_S = 1.0
LIST_AGAIN_S = 3.0  # for whoever came meanwhile, and for what was lost
LIMIT = 10_000  # typists of one node; above it new ones are not announced


@dataclass(slots=True)
class _Typist:
    user: User
    after: int
    told_at: float
    expires_at: float


@dataclass(slots=True)
class _Heard:
    """Of one stream: people by id with the end of their time, and when the list was last told."""

    people: dict[int, tuple[dict[str, Any], float]] = field(default_factory=dict)
    told_at: float = float("-inf")
    changed: bool = False


_typing: dict[tuple[int, int], _Typist] = {}
_heard: dict[str, _Heard] = {}


def start(project_id: int, user: User, *, after: int) -> None:
    """Tell the project's readers; call again while the person goes on."""
    now = time.monotonic()
    typist = _typing.get((project_id, user.pk))
    if typist is None:
        if len(_typing) >= LIMIT:
            return
        typist = _typing[project_id, user.pk] = _Typist(user, after, now - REPEAT_S, 0.0)
    typist.after = after
    typist.expires_at = now + EXPIRES_S
    if now - typist.told_at >= REPEAT_S:
        typist.told_at = now
        _tell(project_id, typist, "typing_indicator")


def stop(project_id: int, user: User) -> None:
    """The person stopped, or sent what they typed. Nothing is told of someone not typing."""
    typist = _typing.pop((project_id, user.pk), None)
    if typist is not None:
        _tell(project_id, typist, "typing_stop")


def _tell(project_id: int, typist: _Typist, name: str) -> None:
    data = {"user": person(typist.user)}
    signal(project_stream(project_id), name, data, after=typist.after)


def _on_start(stream: str, data: dict[str, Any]) -> None:
    heard = _heard.setdefault(stream, _Heard())
    person = data["user"]
    heard.changed |= person["id"] not in heard.people
    if person["id"] in heard.people or len(heard.people) < LIMIT:
        heard.people[person["id"]] = (person, time.monotonic() + HEARD_S)
    _list(stream, heard)


def _on_stop(stream: str, data: dict[str, Any]) -> None:
    heard = _heard.get(stream)
    if heard is not None and heard.people.pop(data["user"]["id"], None) is not None:
        heard.changed = True
        _list(stream, heard)


def _list(stream: str, heard: _Heard) -> None:
    """Give the list to this node's readers, unless they had one within the last second."""
    now = time.monotonic()
    due = now - heard.told_at
    if due < LIST_EVERY_S or not (heard.changed or (heard.people and due >= LIST_AGAIN_S)):
        return
    heard.told_at, heard.changed = now, False
    users = [person for person, _ in heard.people.values()]
    signal_here(stream, "user_typing", {"users": users}, after=0)


async def expire() -> None:
    """End what was not repeated, and tell the lists that had to wait."""
    now = time.monotonic()
    ended = [key for key, typist in _typing.items() if typist.expires_at <= now]
    for project_id, user_id in ended:
        stop(project_id, _typing[project_id, user_id].user)
    for stream, heard in list(_heard.items()):
        over = [key for key, (_, ends) in heard.people.items() if ends <= now]
        for key in over:
            del heard.people[key]
        heard.changed |= bool(over)
        _list(stream, heard)
        if not heard.people and not heard.changed and now - heard.told_at >= LIST_EVERY_S:
            del _heard[stream]


register_listener("typing_indicator", _on_start)
register_listener("typing_stop", _on_stop)
register_sweep(expire)
