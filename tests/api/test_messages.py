"""Messages by the API: the same actions, shapes and events as by socket."""

import json

import pytest
from pytest_django import DjangoAssertNumQueries

from chat.actions.messages import send_message
from chat.models import Message
from realtime.models import Event
from tests.api.conftest import ApiClient, Team, assert_problem

pytestmark = pytest.mark.django_db


def send(team: Team, count: int) -> list[int]:
    return [
        send_message(team.member, team.project.pk, body=f"message {n}").message.pk
        for n in range(count)
    ]


def test_sent_message_is_the_event(team: Team, member: ApiClient) -> None:
    """The reply's message and seq are those of the event."""
    response = member.post(f"{team.path}messages/", {"body": "hello", "client_ref": "r1"})
    assert response.status_code == 201
    body = response.json()
    event = Event.objects.get(stream__name=team.stream, type="new_message")
    frame = json.loads(bytes(event.frame))
    assert frame["seq"] == body["seq"]
    assert frame["data"]["message"] == body["message"]
    assert body["message"]["author"] == {"id": team.member.pk, "name": "bob"}


def test_same_reference_sends_once(team: Team, member: ApiClient) -> None:
    """Again: the same answer with 200; with another text: a conflict."""
    first = member.post(f"{team.path}messages/", {"body": "hello", "client_ref": "r1"})
    again = member.post(f"{team.path}messages/", {"body": "hello", "client_ref": "r1"})
    assert again.status_code == 200
    assert again.json() == first.json()
    other = member.post(f"{team.path}messages/", {"body": "bye", "client_ref": "r1"})
    assert_problem(other, 409, "conflict")
    assert Message.objects.count() == 1


def test_message_is_edited_and_deleted(team: Team, member: ApiClient, owner: ApiClient) -> None:
    """Both answer with the message and the seq of the change; the text goes for good."""
    sent = member.post(f"{team.path}messages/", {"body": "secret"}).json()
    path = f"{team.path}messages/{sent['message']['id']}/"
    edited = member.patch(path, {"body": "new secret"}).json()
    assert edited["message"]["body"] == "new secret"
    assert edited["message"]["edited_at"] is not None
    assert edited["seq"] == sent["seq"] + 1
    assert member.get(path).json() == edited["message"]
    assert_problem(owner.patch(path, {"body": "not mine"}), 403, "forbidden")
    deleted = owner.delete(path).json()
    assert deleted["message"]["deleted"] is True
    assert deleted["message"]["body"] == ""
    assert deleted["seq"] == sent["seq"] + 2
    assert_problem(member.patch(path, {"body": "back"}), 409, "conflict")
    frames = Event.objects.filter(stream__name=team.stream).values_list("frame", flat=True)
    assert not any(b"secret" in bytes(frame) for frame in frames)


def test_viewer_reads_and_does_not_write(team: Team, viewer: ApiClient) -> None:
    """Forbidden, because a viewer knows the project."""
    [key] = send(team, 1)
    before = team.event_types()
    path = f"{team.path}messages/{key}/"
    assert viewer.get(path).json()["body"] == "message 0"
    assert_problem(viewer.post(f"{team.path}messages/", {"body": "x"}), 403, "forbidden")
    assert_problem(viewer.patch(path, {"body": "x"}), 403, "forbidden")
    assert_problem(viewer.delete(path), 403, "forbidden")
    assert team.event_types() == before


def test_message_of_another_project_is_not_found(team: Team, member: ApiClient) -> None:
    """The address must be the message's own, for reading and for writing."""
    [key] = send(team, 1)
    other = member.post("/api/projects/", {"name": "Other"}).json()["id"]
    path = f"/api/projects/{other}/messages/{key}/"
    assert_problem(member.get(path), 404, "not_found")
    assert_problem(member.patch(path, {"body": "x"}), 404, "not_found")
    assert_problem(member.delete(path), 404, "not_found")


def test_pages_hold_every_message_once(team: Team, member: ApiClient) -> None:
    """Newest first, forward and back again, though messages come meanwhile."""
    keys = send(team, 7)
    page = member.get(f"{team.path}messages/", limit=3).json()
    assert page["previous"] is None
    pages = [page]
    send(team, 1)
    while pages[-1]["next"]:
        pages.append(member.get(pages[-1]["next"]).json())
    seen = [row["id"] for one in pages for row in one["results"]]
    assert seen == sorted(keys, reverse=True)
    back = member.get(pages[-1]["previous"]).json()
    assert back["results"] == pages[-2]["results"]
    newest = member.get(pages[1]["previous"]).json()
    assert newest["results"] == page["results"]
    assert newest["previous"] is not None  # the message that came meanwhile


def test_filters_choose_messages(team: Team, member: ApiClient) -> None:
    """Author, kind, session, time and part of the text, which may hold LIKE's own characters."""
    send(team, 3)
    mine = send_message(team.owner, team.project.pk, body="100% Done_").message
    path = f"{team.path}messages/"

    def found(**query: object) -> list[int]:
        return [row["id"] for row in member.get(path, **query).json()["results"]]

    assert found(author=team.owner.pk) == [mine.pk]
    assert found(q="0% done_") == [mine.pk]
    assert found(q="nothing") == []
    assert found(kind="ai") == []
    assert len(found(kind="user", session=mine.session_id)) == 4
    assert found(session=999) == []
    moment = mine.created_at.isoformat().replace("+00:00", "Z")
    assert found(since=moment) == [mine.pk]
    assert mine.pk not in found(until=moment)
    assert len(found(until=moment)) == 3
    assert len(found(unknown="ignored")) == 4


def test_list_costs_the_same_at_any_size(
    team: Team, member: ApiClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Credential, membership, messages with their authors."""
    for size in (2, 12):
        send(team, size - Message.objects.count())
        with django_assert_num_queries(3):
            assert len(member.get(f"{team.path}messages/").json()["results"]) == size


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"], ids=["first", "last"]
)
def test_moments_beyond_the_calendar_are_refused(
    team: Team, member: ApiClient, name: str, moment: str
) -> None:
    """Bug: with the offset taken off they are in no year that Python knows: a 500."""
    path = f"{team.path}messages/"
    body = assert_problem(member.get(path, **{name: moment}), 400, "bad_request")
    assert body["detail"].startswith(f"{name}: expected a moment of the years 1 to 9999")
    assert ", got " in body["detail"]


def test_moments_at_the_edge_of_the_calendar_are_fine(team: Team, member: ApiClient) -> None:
    """The first and the last that there are."""
    send(team, 1)
    path = f"{team.path}messages/"
    first, last = "0001-01-01T14:00:00+14:00", "9999-12-31T09:59:59-14:00"
    assert len(member.get(path, since=first, until=last).json()["results"]) == 1


def test_text_of_a_deleted_message_is_not_found(team: Team, member: ApiClient) -> None:
    """Bug: a message marked as deleted by an update kept its text, for `q` and for readers."""
    [key] = send(team, 1)
    Message.objects.filter(pk=key).update(deleted_at="2026-01-01T00:00:00Z")
    path = f"{team.path}messages/"
    assert member.get(path, q="message").json()["results"] == []
    [row] = member.get(path).json()["results"]
    assert (row["body"], row["deleted"]) == ("", True)
    assert member.get(f"{path}{key}/").json() == row
