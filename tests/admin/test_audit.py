"""The audit log in the admin: read, searched, taken along; never changed."""

import csv
import io
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse

from chat.models import User
from realtime.admin import export
from realtime.admin.export import safe_cell
from realtime.audit.chaining import chain
from realtime.audit.hashing import Content
from realtime.audit.recording import record, write_recorded
from realtime.models import AuditEntry

pytestmark = [
    pytest.mark.django_db,
    # The test's client is synchronous; servers stream it.
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume"),
]
LIST = "admin:realtime_auditentry_changelist"
EXPORT = "admin:realtime_auditentry_export"


@pytest.fixture
def entries(admin: Client) -> None:
    with transaction.atomic():
        for number in range(7):
            record(
                f"action_{number % 2}",
                actor=None,
                target=f"project.{number}",
                result="done",
                address="192.0.2.1",
                details={"text": "<b>"},
            )
        record("action_1", actor=None, target="=1+1", result="done")
    write_recorded()


@pytest.fixture(autouse=True)
def in_this_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages of an export are read in other threads, which see no open transaction."""

    async def here(function: Any, *args: Any) -> Any:
        return await sync_to_async(function, thread_sensitive=True)(*args)

    monkeypatch.setattr(export, "in_database", here)


def rows(admin: Client, **query: str) -> list[list[str]]:
    response = admin.get(reverse(EXPORT), query)
    assert response.status_code == 200
    text = b"".join(response).decode()
    return list(csv.reader(io.StringIO(text)))


def test_list_is_searched_and_filtered(admin: Client, entries: None) -> None:
    """Links to the export keep the query."""
    page = admin.get(reverse(LIST), {"q": "project.3"}).content.decode()
    assert "project.3" in page
    assert "project.5" not in page
    assert 'href="export/?q=project.3"' in page
    page = admin.get(reverse(LIST), {"action": "action_0"}).content.decode()
    assert "project.4" in page
    assert "project.3" not in page


def test_details_are_shown_harmlessly(admin: Client, entries: None) -> None:
    row = AuditEntry.objects.get(target="project.3")
    page = admin.get(reverse("admin:realtime_auditentry_change", args=[row.pk])).content.decode()
    assert "&quot;text&quot;: &quot;&lt;b&gt;&quot;" in page
    assert "<script>" not in page
    assert 'name="_save"' not in page


def test_export_is_what_the_list_shows(
    admin: Client, entries: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filtered alike, over several pages, newest first; no cell is a formula."""
    monkeypatch.setattr(export, "PAGE", 2)
    header, *found = rows(admin, action="action_1")
    assert header[:3] == ["seq", "at", "action"]
    assert [row[5] for row in found] == ["'=1+1", "project.5", "project.3", "project.1"]
    assert len(rows(admin)) > 8


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        *(("=1", "'=1"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("\t=1", "'\t=1")),
        *(("a=1", "a=1"), (-1, "-1"), (None, "")),
    ],
)
def test_cells_are_no_formulas(value: object, cell: str) -> None:
    assert safe_cell(value) == cell


def test_who_may_not_look_gets_neither_list_nor_export(db: None) -> None:
    """Staff without the permission; with it, both."""
    person = User.objects.create_user("eve", is_staff=True)
    client = Client()
    client.force_login(person)
    assert client.get(reverse(LIST)).status_code == 403
    assert client.get(reverse(EXPORT)).status_code == 403
    person.user_permissions.add(Permission.objects.get(codename="view_auditentry"))
    assert client.get(reverse(LIST)).status_code == 200
    assert client.get(reverse(EXPORT)).status_code == 200


@pytest.mark.parametrize("order", ["ASC", "DESC"])
@pytest.mark.parametrize("kind", ["year", "month", "day"])
def test_hierarchy_of_dates_is_as_django_has_it(kind: Any, order: Any) -> None:
    """In a zone with other days than UTC, over a change of its clocks and a turn of the year."""
    moments = [
        *(datetime(2024, 12, 31, hour, tzinfo=UTC) for hour in (22, 23)),
        *(datetime(2025, 3, day, 23, 30, tzinfo=UTC) for day in (29, 30, 31)),
        *(datetime(2025, 10, 26, hour, tzinfo=UTC) for hour in (0, 1, 22, 23)),
        datetime(2026, 2, 28, 12, tzinfo=UTC),
    ]
    contents = [Content(at, "a", None, "", "t", "done", None, "{}") for at in moments]
    with transaction.atomic():
        chain(connection, contents)
    rows = AuditEntry.objects.filter(action="a")
    zone = ZoneInfo("Europe/Berlin")
    expected = QuerySet.datetimes(rows, "at", kind, order, zone)
    assert rows.datetimes("at", kind, order, zone) == list(expected)
