"""`client_ref`: a write that is sent again takes effect once.

An action calls `earlier_write` after it has locked its streams and, when that gave nothing,
`remember_write` at its end, in the same transaction.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from realtime.backends.cursors import run, this_database
from realtime.models.client_ref import ClientRef
from realtime.protocol.errors import Conflict

_CLAIM = """
    INSERT INTO realtime_clientref (user_id, ref, content, target, seq, created_at)
    VALUES (%s, %s, %s, 0, NULL, %s) ON CONFLICT DO NOTHING
"""
_REMEMBER = "UPDATE realtime_clientref SET target = %s, seq = %s WHERE user_id = %s AND ref = %s"


@dataclass(frozen=True, slots=True)
class Write:
    """One write of one person: `content` is everything that makes it this write and no other."""

    user_id: int
    ref: str
    content: tuple[Any, ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.content).encode()).hexdigest()


def earlier_write(write: Write | None) -> ClientRef | None:
    """What this reference already made; None when it is new, and then claimed for this write.

    The claim waits for a transaction that has claimed the same reference in another stream, so
    whoever is second sees what the first one made. Raises Conflict for other content.
    """
    if write is None or _claimed(write):
        return None
    found = ClientRef.objects.get(user_id=write.user_id, ref=write.ref)
    if found.content != write.digest:
        raise Conflict(
            f"client_ref: expected a new reference, got {write.ref!r} with other content"
        )
    return found


def _claimed(write: Write) -> bool:
    given = [write.user_id, write.ref, write.digest, timezone.now()]
    return run(this_database(), _CLAIM, given).written == 1


def remember_write(write: Write | None, target: int, seq: int | None) -> None:
    """Keep what the claimed reference made."""
    if write is not None:
        run(this_database(), _REMEMBER, [target, seq, write.user_id, write.ref])
