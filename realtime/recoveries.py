"""What this process did to get a part of the system back, and how that ended.

Status records it with the alerts of the part. Circuit breakers know theirs; what else tries calls
`note_recovery`. Any thread may; nothing here waits.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from realtime.breaker import breakers

KEPT = 20  # that were noted
KEPT_FOR = timedelta(minutes=15)  # after the end of a recovery


@dataclass(frozen=True, slots=True)
class Recovery:
    """`part` is a component; `ended` None while it is not back. Times are this machine's."""

    part: str
    what: str
    tries: int
    began: datetime
    ended: datetime | None


_noted: deque[Recovery] = deque(maxlen=KEPT)


def note_recovery(part: str, what: str, *, tries: int) -> None:
    """That this process got the part back, as of now."""
    now = timezone.now()
    _noted.append(Recovery(part, what, tries, now, now))


def recoveries() -> list[Recovery]:
    """Those that go on, and those that ended lately."""
    now = timezone.now()
    found = [*_noted, *_of_breakers(now)]
    return [one for one in found if one.ended is None or now - one.ended <= KEPT_FOR]


def _of_breakers(now: datetime) -> list[Recovery]:
    found = []
    for breaker in breakers().values():
        trial = breaker.trial
        if not breaker.part or trial is None or not trial.tries:
            continue
        began = now - timedelta(seconds=breaker.ago_s(trial.began_at))
        ended = None
        if trial.ended_at is not None:
            ended = now - timedelta(seconds=breaker.ago_s(trial.ended_at))
        found.append(Recovery(breaker.part, "asked again", trial.tries, began, ended))
    return found
