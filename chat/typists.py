"""Who is typing on this node. Signals only: nothing is stored, and a lost one expires by itself."""

import time
from dataclasses import dataclass

from chat import events
from chat.models import User
from realtime.log.signalling import signal
from realtime.protocol.streams import project_stream
from realtime.sockets.sweep import register_sweep

EXPIRES_S = 6.0
REPEAT_S = 3.0  # a start is told again at most this often while keys are pressed
LIMIT = 10_000  # typists of one node; above it new ones are not announced


@dataclass(slots=True)
class _Typist:
    user: User
    after: int
    told_at: float
    expires_at: float


_typing: dict[tuple[int, int], _Typist] = {}


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
    data = {"user": events.person(typist.user)}
    signal(project_stream(project_id), name, data, after=typist.after)


async def expire() -> None:
    now = time.monotonic()
    ended = [key for key, typist in _typing.items() if typist.expires_at <= now]
    for project_id, user_id in ended:
        stop(project_id, _typing[project_id, user_id].user)


register_sweep(expire)
