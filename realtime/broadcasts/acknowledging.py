"""A person says that they have read a broadcast."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from realtime import registry
from realtime.broadcasts import events
from realtime.broadcasts.moved import count_on_commit
from realtime.broadcasts.permissions import UNSEEN
from realtime.log.locks import lock_streams
from realtime.log.writing import publish
from realtime.models import Broadcast, BroadcastAcknowledgement
from realtime.models.broadcast import BroadcastStatus
from realtime.protocol.errors import Conflict, NotFound
from realtime.protocol.streams import StreamName, user_stream
from realtime.retrying import retried


@retried
@transaction.atomic
def acknowledge_broadcast(user: Any, broadcast_id: int) -> datetime:
    """When it was acknowledged; again changes nothing. The person's other devices hear of it in
    their own stream.

    Raises NotFound (also where its stream may not be read), Conflict where it asks for none or
    stands no more, Unavailable.
    """
    lock_streams(user_stream(user.pk))  # two tabs at once: the second one finds the first one's
    row = Broadcast.objects.select_related("stream").filter(pk=broadcast_id).first()
    if (
        row is None
        or row.seq is None
        or not registry.may_read(user, StreamName.parse(row.stream.name))
    ):
        raise NotFound(UNSEEN)
    said = BroadcastAcknowledgement.objects.filter(broadcast=row, user=user.pk)
    earlier = said.values_list("at", flat=True).first()
    if earlier is not None:
        return earlier
    if not row.must_acknowledge:
        raise Conflict("broadcast: expected one that asks to be acknowledged, got another")
    if row.status != BroadcastStatus.PUBLISHED or row.expired(timezone.now()):
        raise Conflict("broadcast: expected one that stands, got one that has ended")
    now = timezone.now()
    BroadcastAcknowledgement.objects.create(broadcast=row, user_id=user.pk, at=now)
    publish(user_stream(user.pk), events.acknowledged(row))
    count_on_commit(row.pk)
    return now
