"""Every model has its list, with search, and none asks the database once per row."""

from datetime import date
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin as django_admin
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from chat.actions.memories import store_memory
from chat.actions.messages import send_message
from chat.actions.projects import create_project, set_member
from chat.models import MemoryVector, ProjectContext, ProposalRuling, ReadCursor, ReadNotice, User
from realtime.audit.recording import write_recorded
from realtime.bans.imposing import ban_person
from realtime.broadcasts.audience import packed
from realtime.broadcasts.composing import create_broadcast
from realtime.broadcasts.drafts import BroadcastDraft
from realtime.incidents import open_incident
from realtime.models import (
    ApiKey,
    Broadcast,
    BroadcastAcknowledgement,
    BroadcastAudience,
    BroadcastDay,
    DeliveredRange,
    Job,
    PeriodicJob,
    Stream,
)

pytestmark = pytest.mark.django_db
MODELS: list[Any] = [
    *apps.get_app_config("chat").get_models(),
    *(model for model in apps.get_app_config("realtime").get_models() if model._meta.managed),
]

SINGLE = {"Installation", "AuditChain"}


def fill(operator: User, number: int) -> None:
    """One more of everything, each with people, projects and streams of its own."""
    person = User.objects.create_user(f"person-{number}", password="x")
    row = create_project(person, name=f"project {number}")
    set_member(person, row.pk, user_id=operator.pk, role="member")
    send_message(person, row.pk, body="hello", client_ref=f"ref-{number}", ask_ai=True)
    first = store_memory(person, row.pk, title="first")
    store_memory(person, row.pk, title="second", depends_on=[first.pk])
    MemoryVector.objects.create(memory=first, project=row)
    ReadCursor.objects.create(project=row, user=person, seq=1)
    ReadNotice.objects.create(project=row, told_at=timezone.now())
    ProposalRuling.objects.create(memory=number + 1, project=row, user=person, accepted=True)
    ProjectContext.objects.create(project=row, analysed_to=1, summary="Decided: tea")
    stream = Stream.objects.get(name=f"project.{row.pk}")
    DeliveredRange.objects.create(stream=stream, user=person, lo=1, hi=2)
    ApiKey.issue(person.pk, "key")
    Job.objects.create(name=f"job-{number}")
    PeriodicJob.objects.create(name=f"periodic-{number}", next_at=timezone.now())
    open_incident(f"part-{number}", "node", code="away", text="a part is away")
    said = broadcast_of(operator, row.pk, number)
    BroadcastAudience.objects.create(broadcast=said, people=packed([person.pk]))
    BroadcastAcknowledgement.objects.create(broadcast=said, user=person)
    BroadcastDay.objects.create(day=date(2026, 1, 1 + number), scope="user", status="expired")
    ban_person(operator, person.pk, reason="spam", until=None)
    write_recorded()


def broadcast_of(operator: User, project: int, number: int) -> Broadcast:
    """Each of an author of its own."""
    author = User.objects.create_superuser(f"operator-{number}", password="x")
    draft = BroadcastDraft(title=f"broadcast {number}", body="hello")
    return create_broadcast(author, f"project.{project}", draft).row


def test_lists_cost_the_same_at_any_size(admin: Client, operator: User) -> None:
    """The same number of queries for a few rows and for many, of every model."""

    def queries() -> dict[str, int]:
        found = {}
        for model in MODELS:
            address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            ContentType.objects.clear_cache()
            with CaptureQueriesContext(connection) as caught:
                assert admin.get(address).status_code == 200
            found[model.__name__] = len(caught)
        return found

    def rows() -> dict[str, int]:
        return {model.__name__: model._default_manager.count() for model in MODELS}

    for number in range(2):
        fill(operator, number)
    few, at_first = queries(), rows()
    for number in range(2, 8):
        fill(operator, number)
    assert queries() == few
    assert {name for name, count in rows().items() if count <= at_first[name]} <= SINGLE


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_list_searches_and_shows_one_row(admin: Client, operator: User, model: Any) -> None:
    """Search and the page of one row work for every model; the single installation needs none."""
    fill(operator, 0)
    base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    registered = django_admin.site._registry[model]
    assert registered.search_fields or model.__name__ == "Installation"
    assert admin.get(reverse(f"{base}_changelist"), {"q": "person-0"}).status_code == 200
    row = model._default_manager.order_by("pk").last()
    page = admin.get(reverse(f"{base}_change", args=[row.pk]))
    assert page.status_code == 200


@pytest.mark.parametrize("name", ["event", "stream", "installation", "clientref", "auditentry"])
def test_the_log_is_read_only(admin: Client, operator: User, name: str) -> None:
    """Nobody adds, changes or deletes what clients hold positions in."""
    fill(operator, 0)
    model = apps.get_model("realtime", name)
    row = model._default_manager.order_by("pk").last()
    before = model._default_manager.filter(pk=row.pk).values().get()
    assert admin.get(reverse(f"admin:realtime_{name}_add")).status_code == 403
    change = reverse(f"admin:realtime_{name}_change", args=[row.pk])
    assert admin.post(change, {"type": "x", "name": "x", "epoch": "x"}).status_code == 403
    delete = reverse(f"admin:realtime_{name}_delete", args=[row.pk])
    assert admin.post(delete, {"post": "yes"}).status_code == 403
    assert model._default_manager.filter(pk=row.pk).values().get() == before


def test_event_shows_its_frame_as_json(admin: Client, operator: User) -> None:
    """Indented, and harmless whatever people wrote."""
    person = User.objects.create_user("eve", password="x")
    row = create_project(person, name="p")
    send_message(person, row.pk, body="<script>é")
    event = apps.get_model("realtime", "event").objects.get(type="new_message")
    page = admin.get(reverse("admin:realtime_event_change", args=[event.pk])).content.decode()
    assert "&quot;body&quot;: &quot;&lt;script&gt;é&quot;" in page
    assert "<script>é" not in page
