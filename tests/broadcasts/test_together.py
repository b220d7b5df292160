"""Several at once: the same text twice, and a withdrawal in the middle of publishing."""

import time
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

from realtime.broadcasts import moved
from realtime.broadcasts.composing import create_broadcast
from realtime.broadcasts.counting import count_broadcasts
from realtime.broadcasts.drafts import BroadcastDraft
from realtime.broadcasts.ending import cancel_broadcast
from realtime.broadcasts.publishing import publish_broadcast_now
from realtime.delivery import writing
from realtime.delivery.ranges import Range
from realtime.log.reading import stream_state
from realtime.models import Broadcast, DeliveredRange
from realtime.models.broadcast import BroadcastStatus
from realtime.protocol.errors import Conflict
from tests.api.conftest import Team, team
from tests.broadcasts.conftest import frames_of
from tests.log.world import together

__all__ = ["team"]

pytestmark = pytest.mark.django_db(transaction=True)


def draft(**fields: Any) -> BroadcastDraft:
    return BroadcastDraft.model_validate({"title": "Hello", "body": "all", **fields})


def test_same_text_at_the_same_time_is_made_once(team: Team) -> None:
    """Both look before either has written: the stream's lock has one of them wait."""
    results = together(
        *[lambda: create_broadcast(team.owner, team.stream, draft()) for _ in range(4)]
    )
    refused = [one for one in results if isinstance(one, Conflict)]
    assert len(refused) == 3, results
    assert {one.details["broadcast"] for one in refused if one.details} == {
        Broadcast.objects.get().pk
    }


def test_same_reference_at_the_same_time_is_made_once(team: Team) -> None:
    """All callers get the one that was made."""
    given = draft(client_ref="once")
    results = together(
        *[lambda: create_broadcast(team.owner, team.stream, given) for _ in range(4)]
    )
    assert {one.row.pk for one in results} == {Broadcast.objects.get().pk}
    assert sum(one.created for one in results) == 1


@pytest.mark.parametrize("attempt", range(5))
def test_withdrawn_while_it_is_published(team: Team, attempt: int) -> None:
    """Whoever is first: it was never sent, or it was sent and taken back; nothing in between."""
    row = create_broadcast(team.owner, team.stream, draft()).row

    @transaction.atomic
    def publish() -> None:
        publish_broadcast_now(row.pk)

    results = together(publish, lambda: cancel_broadcast(team.owner, row.pk))
    assert not any(isinstance(one, Exception) for one in results), results
    row.refresh_from_db()
    assert row.status == BroadcastStatus.CANCELLED
    sent = frames_of(team.stream, "broadcast_message")
    told = frames_of(team.stream, "system_notification")
    assert len(sent) == len(told) == (0 if row.seq is None else 1)
    assert [frame["data"]["body"] for frame in sent] == [""] * len(sent)


def test_what_follows_an_unknown_position_is_counted_at_once(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acknowledgements of whoever came back from a dead node are written 2 s later, because a start
    may still be told by another one; their counts were 4 s late with them."""
    monkeypatch.setattr(writing, "running_node", object)
    moved._changed.clear()
    rows = []
    for number in range(2):
        row = create_broadcast(team.owner, team.stream, draft(title=f"n {number}")).row
        with transaction.atomic():
            publish_broadcast_now(row.pk)
        rows.append(Broadcast.objects.get(pk=row.pk))
    before, after = (row.seq or 0 for row in rows)
    state = stream_state(team.stream)
    steps = writing.steps_of(state.id, team.member.pk, state.epoch)
    steps.resumed(before, at=time.monotonic())
    steps.arrived(Range(after, after))
    async_to_sync(writing.flush)()
    assert not DeliveredRange.objects.exists(), "expected it to be held back"
    assert list(moved._changed) == [rows[1].pk]
    count_broadcasts(list(moved._changed))
    counts = Broadcast.objects.order_by("pk").values_list("delivered", flat=True)
    assert list(counts) == [0, 1]
    monkeypatch.setattr(writing, "running_node", lambda: None)
    async_to_sync(writing.flush)()
    assert DeliveredRange.objects.exists()
    assert writing.waiting_of(state.id, 1, after) == []
    Broadcast.objects.update(counted_at=None)
    count_broadcasts([row.pk for row in rows])
    assert list(counts.all()) == [1, 1]
