"""What stands in a stream at present: a part of its snapshot, for whoever starts fresh."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from realtime.broadcasts import events
from realtime.models import Broadcast, BroadcastAcknowledgement
from realtime.models.broadcast import BroadcastStatus
from realtime.protocol.streams import StreamKind, StreamName

SHOWN = 20  # the newest


def standing_broadcasts(user: Any, stream: StreamName) -> dict[str, Any]:
    """`{broadcasts: [{type, seq, data, acknowledged}]}`, ascending: what their events say, and
    whether this reader has acknowledged it."""
    if stream.kind is StreamKind.STATUS:
        return {}
    mine = BroadcastAcknowledgement.objects.filter(broadcast=OuterRef("pk"), user=user.pk)
    rows = (
        Broadcast.objects.filter(stream__name=str(stream), status=BroadcastStatus.PUBLISHED)
        .filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
        .select_related("author")
        .annotate(mine=Exists(mine))
        .order_by("-seq")[:SHOWN]
    )
    listed = [
        {
            "type": row.kind,
            "seq": row.seq,
            "data": events.data(row),
            "acknowledged": row.mine,  # type: ignore[attr-defined, unused-ignore]
        }
        for row in rows
    ]
    return {"broadcasts": listed[::-1]}


def shown_from(snapshot: Mapping[str, Any]) -> int:
    """The seq from which on the snapshot shows every broadcast that stands: of a full list, and of
    one that may have been cut, there can be older ones that it does not show."""
    listed = snapshot.get("broadcasts")
    if not listed or (len(listed) < SHOWN and "cut" not in snapshot):
        return 1
    first: int = listed[0]["seq"]
    return first
