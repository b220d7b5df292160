"""Taking a whole log away: what it was about is gone, and so are its texts."""

from django.db.models import F

from realtime.log.locks import lock_streams
from realtime.models import Event, Stream


def trim_all(stream: str) -> None:
    """Delete every stored event of the stream; its seqs go on from its head.

    Runs in the transaction of the deletion, before the event that tells of it is appended.
    `floor` moves in the same commit, so that whoever is behind knows that nothing joins.
    """
    lock_streams(stream)
    Event.objects.filter(stream__name=stream).delete()
    Stream.objects.filter(name=stream).update(floor=F("head"))
