"""Read cursors: gathered, written at most once per project and second, told together.

Over all nodes a project has one `message_read` a second at most. What a node may not tell yet it
writes down (`ReadCursor.wanted`), and whoever tells next tells all of it, in the transaction that
moves the cursors. A mark that was only gathered is lost with the process; the client marks again
with its next message, and cursors never move back.
"""

import asyncio
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from chat import events
from chat.models import Membership, ReadCursor, ReadNotice
from realtime.database import in_database
from realtime.log.locks import lock_streams
from realtime.log.reading import stream_state
from realtime.log.writing import publish
from realtime.node import running_node
from realtime.protocol.errors import NotFound
from realtime.protocol.streams import project_stream
from realtime.retrying import retried
from realtime.sockets.sweep import register_sweep

# A little above the promise: the clocks of readers who measure it are not the database's.
TELL_EVERY = timedelta(seconds=1.05)

_gathered: dict[int, dict[int, int]] = {}  # project: {user: seq}; bounded by people online here
_owed: set[int] = set()  # projects in which marks were written that somebody has yet to tell


def note(project_id: int, user_id: int, seq: int) -> None:
    """Remember that the person has read up to `seq`; written by the next sweep."""
    marks = _gathered.setdefault(project_id, {})
    marks[user_id] = max(seq, marks.get(user_id, 0))


async def flush() -> None:
    """Write what was gathered, and tell what may be told; the rest is tried again.

    What cannot be written now is gathered again.
    """
    taken: dict[int, dict[int, int]] = {project_id: {} for project_id in _owed} | _gathered
    _gathered.clear()
    wait = timedelta(0)
    while taken:
        project_id, marks = taken.popitem()
        try:
            _, left = await in_database(move_cursors, project_id, marks)
        except NotFound:
            _owed.discard(project_id)  # the project was deleted meanwhile
            continue
        except BaseException:
            for unwritten, those in [(project_id, marks), *taken.items()]:
                for user_id, seq in those.items():
                    note(unwritten, user_id, seq)
            raise
        if left:
            _owed.add(project_id)
            wait = max(wait, left)
        else:
            _owed.discard(project_id)
    node = running_node()
    if wait and node is not None:
        # Nodes sweep once a second each: without this one of two would always come too early.
        node.hub.spawn(_flush_later(wait))


async def _flush_later(wait: timedelta) -> None:
    await asyncio.sleep(wait.total_seconds())
    if _owed:
        await flush()


@retried
@transaction.atomic
def move_cursors(project_id: int, marks: dict[int, int]) -> tuple[dict[int, int], timedelta]:
    """Move cursors forward, at most to the head, and publish those that moved, as one event.

    Returns what was published, and how long what is written down must wait still to be told
    (zero where nothing does). Marks of people who are no members now are dropped: one of a deleted
    account would fail with all the others. Raises NotFound when the project is gone.
    """
    stream = project_stream(project_id)
    lock_streams(stream)
    head = stream_state(stream).head
    members = Membership.objects.filter(project_id=project_id, user_id__in=marks)
    for user_id in members.order_by("user_id").values_list("user_id", flat=True):
        wanted = min(marks[user_id], head)
        cursor, created = ReadCursor.objects.get_or_create(
            project_id=project_id, user_id=user_id, defaults={"wanted": wanted}
        )
        if not created:
            ReadCursor.objects.filter(pk=cursor.pk, wanted__lt=wanted).update(wanted=wanted)
    return _tell(project_id)


def _tell(project_id: int) -> tuple[dict[int, int], timedelta]:
    """Under the lock of the project's stream, which makes the look at the last time exact."""
    behind = ReadCursor.objects.filter(
        project_id=project_id,
        seq__lt=F("wanted"),
        user__in=Membership.objects.filter(project_id=project_id).values("user_id"),
    )
    moved = dict(behind.order_by("user_id").values_list("user_id", "wanted"))
    if not moved:
        return {}, timedelta(0)
    told = ReadNotice.objects.filter(pk=project_id).annotate(now=Now()).first()
    if told is None:
        ReadNotice.objects.create(project_id=project_id, told_at=Now())
    else:
        left = TELL_EVERY - (told.now - told.told_at)
        # More than the whole time is left only where the database's clock was set back.
        if timedelta(0) < left <= TELL_EVERY:
            return {}, left
        ReadNotice.objects.filter(pk=project_id).update(told_at=Now())
    ReadCursor.objects.filter(project_id=project_id, user_id__in=moved).update(seq=F("wanted"))
    publish(project_stream(project_id), events.message_read(moved))
    return moved, timedelta(0)


register_sweep(flush)
