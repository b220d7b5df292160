"""Refusals of a node, gathered for a second and then written by one writer.

A storm of refused clients must cost neither them nor the database anything: equal ones become one
entry with their number, and of too many different ones only the number is kept.
"""

import json
from typing import Any

from django.db import transaction

from realtime.database import in_database
from realtime.retrying import retried

LISTED = 50  # different refusals between two writes, each with an entry of its own
NOT_LISTED = "refusals_not_listed"

# action, actor, target, result, address, details as canonical JSON
Refused = tuple[str, int | None, str, str, str | None, str]


class Gathered:
    """Bounded by LISTED. Touched in the event loop and in threads of requests: every step is one
    operation of a dict, so a count may at worst be one short."""

    def __init__(self) -> None:
        self.times: dict[Refused, int] = {}
        self.not_listed = 0

    def add(self, refused: Refused, times: int = 1) -> None:
        if refused in self.times or len(self.times) < LISTED:
            self.times[refused] = self.times.get(refused, 0) + times
        else:
            self.not_listed += times


_gathered = Gathered()


def gather(refused: Refused) -> None:
    _gathered.add(refused)


async def flush() -> None:
    """Write what was gathered. What cannot be written now is gathered again: Unavailable."""
    global _gathered
    taken, _gathered = _gathered, Gathered()
    if not taken.times:
        return
    try:
        await in_database(write, taken)
    except BaseException:
        later, _gathered = _gathered, taken
        for refused, times in later.times.items():
            _gathered.add(refused, times)
        _gathered.not_listed += later.not_listed
        raise


@retried
@transaction.atomic
def write(gathered: Gathered) -> None:
    """All of it in one transaction, and so in one statement."""
    from realtime.audit.recording import record  # it imports this module

    for (action, actor, target, result, address, text), times in gathered.times.items():
        details: dict[str, Any] = json.loads(text)
        if times > 1:
            details["times"] = times
        record(action, actor=actor, target=target, result=result, address=address, details=details)
    if gathered.not_listed:
        record(
            NOT_LISTED,
            actor=None,
            target="connections",
            result="counted",
            details={"times": gathered.not_listed},
        )
