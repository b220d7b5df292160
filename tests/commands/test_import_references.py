"""Imported messages and the references that their author's other writes use."""

import pytest

from chat.actions.messages import edit_message, send_message
from chat.actions.projects import create_project
from chat.importing import Report, store_reports
from chat.models import Memory, Message, Project, User
from realtime.models import ClientRef
from realtime.protocol.errors import Conflict

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(demonstrating: None) -> Project:
    return create_project(User.objects.create_user("ada"), name="Apollo")


def reports(count: int) -> list[Report]:
    return [Report(id=f"r{n}", title=f"t{n}", text="x", repo="some/where") for n in range(count)]


def test_import_claims_its_references(project: Project) -> None:
    """Bug: the import left no trace among the references of its author: sending with one of them
    was an IntegrityError, and another command could use it a second time."""
    ada = project.created_by
    store_reports(project.pk, ada, reports(2))
    ref = Message.objects.order_by("pk").values_list("client_ref", flat=True)[0]
    assert ref is not None
    mine = send_message(ada, project.pk, body="mine").message.pk
    with pytest.raises(Conflict, match="client_ref"):
        send_message(ada, project.pk, body="hello", client_ref=ref)
    with pytest.raises(Conflict, match="client_ref"):
        edit_message(ada, mine, body="hello", client_ref=ref)
    claimed = dict(ClientRef.objects.values_list("ref", "target"))
    assert claimed == dict(Message.objects.exclude(client_ref=None).values_list("client_ref", "pk"))


def test_reference_that_the_author_has_used_does_not_stop_the_import(project: Project) -> None:
    """Bug: it met the unique constraint, again with every new attempt. The message goes without
    a reference, and the memory's own keeps the import from repeating it."""
    ada, [first, second] = project.created_by, reports(2)
    other = create_project(ada, name="Other")
    taken = first.client_ref(project.pk)
    send_message(ada, other.pk, body="hello", client_ref=taken)
    stored = store_reports(project.pk, ada, [first, second])
    assert (stored.imported, stored.events) == (2, 4)
    refs = Message.objects.filter(project=project).order_by("pk")
    assert list(refs.values_list("client_ref", flat=True)) == [
        None,
        second.client_ref(project.pk),
    ]
    assert store_reports(project.pk, ada, [first, second]).events == 0
    assert Memory.objects.count() == 2


def test_reference_of_an_edit_is_taken_too(project: Project) -> None:
    """The reference belongs to that write, whatever it made."""
    ada, [report] = project.created_by, reports(1)
    mine = send_message(ada, project.pk, body="mine").message.pk
    taken = report.client_ref(project.pk)
    edit_message(ada, mine, body="new", client_ref=taken)
    assert store_reports(project.pk, ada, [report]).imported == 1
    assert list(Message.objects.exclude(pk=mine).values_list("client_ref", flat=True)) == [None]
    assert ClientRef.objects.get(ref=taken).target == mine


def test_import_of_nobody_claims_nothing(project: Project) -> None:
    """References belong to people."""
    store_reports(project.pk, None, reports(2))
    assert not ClientRef.objects.exists()
    assert Message.objects.count() == 2
