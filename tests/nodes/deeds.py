"""What `Backstage` can do, in its own process. Arguments and results are JSON values."""

import itertools
import json
import secrets
import uuid
from contextlib import redirect_stdout
from datetime import timedelta
from io import StringIO
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from chat.actions import projects
from chat.models import AiRun, Membership, Message, Project, User
from chat.queries.runs import is_carried_out
from realtime.broadcasts.composing import create_broadcast
from realtime.broadcasts.drafts import BroadcastDraft
from realtime.fleet import operations
from realtime.jobs.chores import clean_up_jobs
from realtime.models import ApiKey, AuditEntry, Broadcast, Event, Job, Stream
from realtime.models.api_key import key_digest
from realtime.publisher import publisher
from realtime.security.identity import sign_in
from realtime.tracing.recorder import kept_steps
from realtime.tracing.traces import traces
from status.channels.notice import Notice
from status.exchange import living
from status.jobs import enqueue_notices
from status.models import Board, NotificationChannel

_numbers = itertools.count(1)
_run = uuid.uuid4().hex[:6]


def person(
    name: str, *, password: str | None = None, staff: bool = False, permission: str | None = None
) -> dict[str, Any]:
    """A new account and an API key of it. Without a password none is hashed, which is slow."""
    user = User(username=f"{name}-{_run}-{next(_numbers)}", first_name=name, is_staff=staff)
    if password is None:
        user.set_unusable_password()
    else:
        user.set_password(password)
    user.save()
    if permission is not None:
        app, codename = permission.split(".")
        found = Permission.objects.get(content_type__app_label=app, codename=codename)
        user.user_permissions.add(found)
    return {"id": user.pk, "name": name, "username": user.username, "key": key(user.pk)}


def key(user: int) -> str:
    """Another API key of the user."""
    return ApiKey.issue(user, "test")[1]


def session(user: int, age_s: float = 3600) -> dict[str, Any]:
    """A signed-in session whose row ends in `age_s`, whatever it says of its own age."""
    token, _ = sign_in(User.objects.get(pk=user), 3600)
    ends = timezone.now() + timedelta(seconds=age_s)
    Session.objects.filter(pk=token).update(expire_date=ends)
    return {"token": token, "expires_at": ends.isoformat()}


def team() -> dict[str, Any]:
    """A project with an owner, a member and a viewer, and a stranger to it."""
    people = {name: person(name) for name in ("ada", "bob", "vera", "sam")}
    owner = User.objects.get(pk=people["ada"]["id"])
    row = projects.create_project(owner, name="Apollo")
    for name, role in (("bob", "member"), ("vera", "viewer")):
        projects.set_member(owner, row.pk, user_id=people[name]["id"], role=role)
    return {"project": row.pk, "people": people}


def join(project: int, user: int, role: str = "member") -> None:
    Membership(project_id=project, user_id=user, role=role).save()


def manage(arguments: list[str]) -> str:
    """A command of `manage.py`, without the time that a process of its own takes to start; what it
    says."""
    with redirect_stdout(StringIO()) as said:
        call_command(*arguments)
    return said.getvalue()


def audit_entries(**wanted: Any) -> list[dict[str, Any]]:
    """The audit log's entries with these values, oldest first, without their times."""
    columns = ["seq", "action", "actor", "target", "result", "address", "details"]
    return list(AuditEntry.objects.filter(**wanted).order_by("seq").values(*columns))


def remove(project: int, user: int) -> None:
    Membership.objects.get(project_id=project, user_id=user).delete()


def remove_and_post(project: int, user: int, author: int) -> None:
    """Two commits without a breath between them."""
    remove(project, user)
    post(project, author, 1)


def delete_project(project: int) -> None:
    Project.objects.get(pk=project).delete()


def post(project: int, author: int, count: int, body: str = "message") -> int:
    """That many messages in batches of 250 a commit; the head afterwards."""
    first = Project.objects.get(pk=project).sessions.order_by("pk")[0]
    for start in range(0, count, 250):
        Message.objects.bulk_create(
            Message(project_id=project, session=first, author_id=author, body=f"{body} {number}")
            for number in range(start, min(start + 250, count))
        )
    return head(f"project.{project}")


def post_and_roll_back(project: int, author: int, count: int) -> int:
    """Messages that never were; the head afterwards."""
    with transaction.atomic():
        post(project, author, count, "rolled back")
        transaction.set_rollback(True)
    return head(f"project.{project}")


def forget_steps(event: str) -> None:
    """What is kept of its way, as an hour does it; once it is written."""
    stream, _, seq = event.rpartition(":")
    followed, kept = traces(), kept_steps()
    assert publisher().flush(10)
    if followed is not None and followed.recorder is not None:
        followed.recorder.flush()
    if kept is not None:
        kept.forget(stream, int(seq))


def age_event(event: str, age_s: float) -> None:
    """As if it had been written so long ago."""
    stream, _, seq = event.rpartition(":")
    moment = timezone.now() - timedelta(seconds=age_s)
    Event.objects.filter(stream__name=stream, seq=int(seq)).update(ts=moment)


def head(stream: str) -> int:
    return int(Stream.objects.get(name=stream).head)


def count_messages(project: int) -> int:
    return int(Message.objects.filter(project_id=project).count())


def trim(stream: str, floor: int) -> None:
    """As retention does: the oldest events go and the row says so, in one commit."""
    with transaction.atomic():
        row = Stream.objects.get(name=stream)
        Event.objects.filter(stream=row, seq__lte=floor).delete()
        Stream.objects.filter(pk=row.pk).update(floor=floor)


def new_epoch(stream: str) -> None:
    """As after a restore: what seqs meant before, they no longer mean."""
    Stream.objects.filter(name=stream).update(epoch=uuid.uuid4().hex[:6])


def revoke_key(text: str) -> None:
    row = ApiKey.objects.get(digest=key_digest(text))
    row.revoked_at = timezone.now()
    row.save()


def delete_key(text: str) -> None:
    ApiKey.objects.get(digest=key_digest(text)).delete()


def connections(user: int) -> dict[str, str]:
    """Connection id -> node id of the person's sockets, as the registry lists them."""
    return {one.id: one.node for one in operations.list_connections(user)}


def node_pids() -> list[int]:
    """Of the server nodes whose lease is in force."""
    return [node.pid for node in operations.list_nodes()]


def disconnect(user: int) -> None:
    operations.close_user(user)


def change_password(user: int) -> None:
    row = User.objects.get(pk=user)
    row.set_unusable_password()
    row.save()


def deactivate(user: int) -> None:
    row = User.objects.get(pk=user)
    row.is_active = False
    row.save()


def set_staff(user: int, staff: bool) -> None:
    row = User.objects.get(pk=user)
    row.is_staff = staff
    row.save()


def grant_by_group(user: int, permission: str) -> int:
    """The permission, by a group of its own; the group's id."""
    app, _, codename = permission.partition(".")
    group = Group.objects.create(name=f"group-{_run}-{next(_numbers)}")
    found = Permission.objects.get(content_type__app_label=app, codename=codename)
    group.permissions.add(found)
    group.user_set.add(User.objects.get(pk=user))
    return int(group.pk)


def leave_group(user: int, group: int) -> None:
    User.objects.get(pk=user).groups.remove(group)


def more_projects(user: int, count: int) -> list[int]:
    """Projects of the user's own."""
    owner = User.objects.get(pk=user)
    return [projects.create_project(owner, name=f"P{number}").pk for number in range(count)]


def crowd(people: int, rooms: int) -> dict[str, Any]:
    """That many members spread over rooms, one key each; the last key is that of the owner,
    who is staff."""
    owner = User.objects.create(
        username=f"owner-{_run}-{next(_numbers)}", password="!", is_staff=True
    )
    keys = [projects.create_project(owner, name=f"Room {number}").pk for number in range(rooms)]
    made = User.objects.bulk_create(
        User(username=f"crowd-{_run}-{next(_numbers)}", password="!") for _ in range(people)
    )
    texts = [f"pm_{secrets.token_urlsafe(32)}" for _ in range(people + 1)]
    ApiKey.objects.bulk_create(
        ApiKey(user=user, name="crowd", prefix=text[:9], digest=key_digest(text))
        for user, text in zip([*made, owner], texts, strict=True)
    )
    Membership.objects.bulk_create(
        Membership(project_id=keys[number % rooms], user=user, role="member")
        for number, user in enumerate(made)
    )
    return {"rooms": keys, "people": [user.pk for user in made], "keys": texts, "owner": owner.pk}


def incidents() -> list[dict[str, Any]]:
    """Events of `status`, decoded, in order."""
    rows = Event.objects.filter(stream__name="status").order_by("seq")
    return [json.loads(bytes(row.frame)) for row in rows]


def lease_is_over(run: int) -> bool:
    """Whether nobody holds the run's job any more."""
    return not is_carried_out(AiRun.objects.get(pk=run))


def job() -> int:
    """A job that any worker knows, enqueued; its id."""
    return int(clean_up_jobs.enqueue().id)


def job_state(job: int) -> dict[str, Any]:
    """Where it stands, on which worker, and how long it waited for its start; -1 before that."""
    row = Job.objects.get(pk=job)
    waited = row.started_at - row.enqueued_at if row.started_at is not None else None
    waited_s = waited.total_seconds() if waited is not None else -1
    return {"state": row.state, "worker": row.worker, "waited_s": waited_s}


def speak(project: int, author: int, count: int, priority: str = "low") -> list[int]:
    """That many broadcasts to the project, 250 a commit; their ids."""
    actor = User.objects.get(pk=author)
    made = []
    for start in range(0, count, 250):
        with transaction.atomic():
            for number in range(start, min(start + 250, count)):
                title = f"{priority} {number}"
                draft = BroadcastDraft.model_validate(
                    {"title": title, "body": "*all*", "priority": priority}
                )
                made.append(create_broadcast(actor, f"project.{project}", draft).row.pk)
    return made


def published_at(broadcasts: list[int]) -> list[str | None]:
    """When each went out, None where it has not; in the order of ids."""
    rows = Broadcast.objects.filter(pk__in=broadcasts).order_by("pk")
    moments = rows.values_list("published_at", flat=True)
    return [moment.isoformat() if moment else None for moment in moments]


def counts_of(broadcast: int) -> dict[str, int]:
    """As stored, and how many accounts there are."""
    row = Broadcast.objects.get(pk=broadcast)
    names = ("addressed", "delivered", "acknowledged", "late")
    return {name: getattr(row, name) for name in names} | {"accounts": User.objects.count()}


def board() -> dict[str, Any]:
    """Who holds the board of the system's state, what it says, and which nodes are alive."""
    row = Board.objects.get(pk=1)
    nodes = living().filter(kind="node").values_list("pk", flat=True)
    return {"holder": row.holder, "members": list(nodes), **row.view}


def notify(channels: dict[str, dict[str, str]]) -> dict[str, int]:
    """Make those channels, by name with their fields, and tell all of them of one alert; the ids of
    the jobs."""
    for name, fields in channels.items():
        NotificationChannel.objects.create(name=name, **fields)
    notice = Notice(
        id=1,
        alert="redis.down",
        state="opened",
        severity="critical",
        component="redis",
        subject="",
        text="Redis does not answer",
        value=2.0,
        threshold=2.0,
    )
    with transaction.atomic():
        enqueue_notices(notice)
    names = dict(NotificationChannel.objects.values_list("pk", "name"))
    rows = Job.objects.filter(name="status.notify")
    return {names[row.arguments["channel"]]: row.pk for row in rows}


def attempts(job: int) -> dict[str, Any]:
    """How a job stands: its state, its attempts, and what the last that failed said."""
    row = Job.objects.get(pk=job)
    return {"state": row.state, "attempt": row.attempt, "error": row.error}
