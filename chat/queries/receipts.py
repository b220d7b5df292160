"""Who has received, and who has read, a message."""

from typing import Any

from chat.models import Membership, Message, ReadCursor
from realtime.database import snapshot
from realtime.models import DeliveredRange, Event, Stream
from realtime.people import person
from realtime.protocol.streams import project_stream


def receipts(message: Message) -> dict[str, list[dict[str, Any]]]:
    """`{received, read}`, each `[{user}]` by id: present members other than the author to whom it
    was addressed. What was read was received.
    """
    with snapshot():
        stream = Stream.objects.get(name=project_stream(message.project_id))
        first, last = _place(message, stream)
        if last == 0:
            return {"received": [], "read": []}
        reads = ReadCursor.objects.filter(project_id=message.project_id, seq__gte=last)
        read = set(reads.values_list("user_id", flat=True))
        ranges = DeliveredRange.objects.filter(stream=stream, lo__lte=first, hi__gte=last)
        received = read | set(ranges.values_list("user_id", flat=True))
        people = [
            row
            for row in Membership.objects.select_related("user").filter(
                project_id=message.project_id
            )
            if row.user_id != message.author_id and _addressed(row, message, first, last)
        ]
    return {"received": _listed(people, received), "read": _listed(people, read)}


def _place(message: Message, stream: Stream) -> tuple[int, int]:
    """Between which seqs the message stands: one seq, or all that is trimmed already.

    (0, 0) where it was never told of, because events of chat were switched off.
    """
    told = Event.objects.filter(stream=stream, subject=message.subject, type="new_message")
    seq = told.order_by("seq").values_list("seq", flat=True).first()
    if seq is not None:
        return seq, seq
    return (1, stream.floor) if stream.floor else (0, 0)


def _addressed(row: Membership, message: Message, first: int, last: int) -> bool:
    """A trimmed event has no seq to compare with: times serve, as far as clocks agree."""
    if first == last:
        return bool(row.joined_seq < first)
    return row.joined_at <= message.created_at


def _listed(people: list[Membership], ids: set[int]) -> list[dict[str, Any]]:
    rows = sorted((row for row in people if row.user_id in ids), key=lambda row: row.user_id)
    return [{"user": person(row.user)} for row in rows]
