"""`client_ref`: a write that is sent again takes effect once.

An action calls `earlier_write` after it has locked its streams and `remember_write` at its end, in
the same transaction.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

from realtime.models.client_ref import ClientRef
from realtime.protocol.errors import Conflict

_REMEMBER = """
    INSERT INTO realtime_clientref (user_id, ref, content, target, seq, created_at)
    VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


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
    """What this reference already made, None when it is new. Raises Conflict for other content."""
    if write is None:
        return None
    found = ClientRef.objects.filter(user_id=write.user_id, ref=write.ref).first()
    if found is not None and found.content != write.digest:
        raise Conflict(
            f"client_ref: expected a new reference, got {write.ref!r} with other content"
        )
    return found


def remember_write(write: Write | None, target: int, seq: int | None) -> None:
    """Keep what the reference made. Raises Conflict when another stream's transaction was first:
    the insert waits for that one to end, so both cannot commit."""
    if write is None:
        return
    values: list[Any] = [
        write.user_id,
        write.ref,
        write.digest,
        target,
        seq,
        timezone.now(),
    ]
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, values)
        if cursor.rowcount != 1:
            raise Conflict(f"client_ref: expected a new reference, got {write.ref!r} again at once")
