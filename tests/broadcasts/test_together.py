"""Several at once: the same text twice, and a withdrawal in the middle of publishing."""

from typing import Any

import pytest
from django.db import transaction

from realtime.broadcasts.composing import create_broadcast
from realtime.broadcasts.drafts import BroadcastDraft
from realtime.broadcasts.ending import cancel_broadcast
from realtime.broadcasts.publishing import publish_broadcast_now
from realtime.models import Broadcast
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
