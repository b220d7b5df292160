"""Read cursors, gathered and written at most once per project and second.

A mark that was only gathered is lost with the process; the client marks again with its next
message, and cursors never move back.
"""

from django.db import transaction

from chat import events
from chat.models import Membership, ReadCursor
from realtime.database import in_database
from realtime.log.locks import lock_streams
from realtime.log.reading import stream_state
from realtime.log.writing import publish
from realtime.protocol.errors import NotFound
from realtime.protocol.streams import project_stream
from realtime.retrying import retried
from realtime.sockets.sweep import register_sweep

_gathered: dict[int, dict[int, int]] = {}  # project: {user: seq}; bounded by people online here


def note(project_id: int, user_id: int, seq: int) -> None:
    """Remember that the person has read up to `seq`; written by the next sweep."""
    marks = _gathered.setdefault(project_id, {})
    marks[user_id] = max(seq, marks.get(user_id, 0))


async def flush() -> None:
    """Write what was gathered; what cannot be written now is gathered again."""
    taken = dict(_gathered)
    _gathered.clear()
    while taken:
        project_id, marks = taken.popitem()
        try:
            await in_database(move_cursors, project_id, marks)
        except NotFound:
            continue  # the project was deleted meanwhile
        except BaseException:
            for left, those in [(project_id, marks), *taken.items()]:
                for user_id, seq in those.items():
                    note(left, user_id, seq)
            raise


@retried
@transaction.atomic
def move_cursors(project_id: int, marks: dict[int, int]) -> dict[int, int]:
    """Move cursors forward, at most to the head, and publish those that moved, as one event.

    Marks of people who are no members now are dropped: one of a deleted account would fail with
    all the others. Raises NotFound when the project is gone.
    """
    stream = project_stream(project_id)
    lock_streams(stream)
    head = stream_state(stream).head
    members = Membership.objects.filter(project_id=project_id, user_id__in=marks)
    moved: dict[int, int] = {}
    for user_id in members.order_by("user_id").values_list("user_id", flat=True):
        wanted = min(marks[user_id], head)
        cursor, created = ReadCursor.objects.get_or_create(
            project_id=project_id, user_id=user_id, defaults={"seq": wanted}
        )
        if created or ReadCursor.objects.filter(pk=cursor.pk, seq__lt=wanted).update(seq=wanted):
            moved[user_id] = wanted
    if moved:
        publish(stream, events.message_read(moved))
    return moved


register_sweep(flush)
