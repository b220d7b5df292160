"""Taking text back out of the log."""

from collections.abc import Iterable

from realtime.log.appending import Row
from realtime.models.event import Event
from realtime.protocol.catalogue import CATALOGUE
from realtime.protocol.frames import blanked


def blank_subject(subject: str, stream_id: int, unsaved: Iterable[Row]) -> int | None:
    """Blank the text of `subject` in every stored frame and in `unsaved` ones; seqs stay.

    Runs in the deleting transaction, under the stream's lock. Returns the newest blanked seq of
    this stream, None when no frame of it held the text.
    """
    stored = list(Event.objects.filter(subject=subject).only("stream_id", "seq", "type", "frame"))
    waiting = [row for row in unsaved if row.subject == subject]
    holding: list[Event | Row] = [*stored, *waiting]
    for event in holding:
        event.frame = blanked(bytes(event.frame), CATALOGUE[event.type])
    Event.objects.bulk_update(stored, ["frame"], batch_size=200)
    here = [event.seq for event in stored if event.stream_id == stream_id]
    return max(here + [row.seq for row in waiting], default=None)
