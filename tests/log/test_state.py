"""Old snapshot + events == fresh snapshot, whatever people do."""

import copy
import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chat import reads
from chat.actions import memories, messages, projects
from chat.actions.proposals import accept_proposal, discard_proposal, propose
from chat.context.findings import Proposal
from chat.models import (
    ChatSession,
    Membership,
    Memory,
    MemoryDependency,
    MemoryKind,
    Message,
    User,
)
from chat.queries.snapshot import project_snapshot
from realtime.log.retention import trimming
from realtime.models import Event
from realtime.protocol.errors import RealtimeError
from realtime.protocol.streams import StreamName
from tests.log.world import World, head, rolled_back

pytestmark = pytest.mark.django_db

State = dict[str, Any]


def by_id(rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in rows}


def applied(  # noqa: C901, PLR0912 - one case for each event type
    state: State, event: dict[str, Any], me: int
) -> State:
    """What a client does with an event of the project's stream."""
    new, data = copy.deepcopy(state), event["data"]
    changed, remembered = by_id(new["messages"]), by_id(new["memories"])
    match event["type"]:
        case "new_message" | "message_updated":
            changed[data["message"]["id"]] = data["message"]
        case "message_deleted":
            if data["message"] in changed:
                changed[data["message"]] |= {"body": "", "deleted": True}
        case "message_read":
            new["reads"] |= data["reads"]
        case "memory_stored" | "memory_updated":
            remembered[data["memory"]["id"]] = data["memory"]
        case "memory_deleted":
            remembered.pop(data["memory"])
        case "dependency_updated":
            if data["memory"] in remembered:
                remembered[data["memory"]]["depends_on"] = data["depends_on"]
        case "memory_relevance_changed":
            remembered[data["memory"]]["relevance"] = data["relevance"]
        case "project_updated":
            new["project"] = data["project"]
        case "project_joined":
            people = {one["user"]["id"]: one for one in new["people"]}
            people[data["member"]["user"]["id"]] = data["member"]
            new["people"] = list(people.values())
        case "project_left":
            new["people"] = [p for p in new["people"] if p["user"]["id"] != data["user"]["id"]]
        case "chat_status_update":
            pass  # conversations are no part of the snapshot
        case other:
            raise AssertionError(f"expected an event that changes the snapshot, got {other}")
    new["messages"], new["memories"] = list(changed.values()), list(remembered.values())
    new["role"] = next((p["role"] for p in new["people"] if p["user"]["id"] == me), None)
    return new


ACTION = st.tuples(
    st.sampled_from(
        [
            "send",
            "send",
            "reply",
            "edit",
            "delete",
            "store",
            "store",
            "change",
            "forget",
            "forget_all",
            "propose",
            "propose",
            "accept",
            "discard",
            "rename",
            "role",
            "remove",
            "read",
            "roll_back",
            "bulk",
            "pin",
            "bulk_roles",
            "bulk_removal",
            "bulk_dependencies",
            "drop_dependencies",
            "bulk_update",
            "erase",
            "erase_all",
            "stranger",
            "account_deleted",
            "conversation",
            "trim",
        ]
    ),
    st.integers(0, 7),
    st.integers(0, 7),
)


ROLES = ("owner", "member", "viewer")


def dependencies() -> set[tuple[int, int]]:
    return set(MemoryDependency.objects.values_list("memory_id", "depends_on_id"))


def picked(rows: Any, number: int) -> int:
    keys = list(rows.order_by("pk").values_list("pk", flat=True))
    return int(keys[number % len(keys)]) if keys else 999_999


def act(  # noqa: C901, PLR0912, PLR0915 - one case for each action
    world: World, what: str, first: int, second: int
) -> None:
    """One action of somebody; what they may not do is refused, which is part of the test."""
    project = world.project.pk
    who = (world.ada, world.bob)[first % 2]
    message, memory = picked(Message.objects, second), picked(Memory.objects, second)
    match what:
        case "send":
            messages.send_message(who, project, body=f"m{first}", client_ref=f"r{second}")
        case "reply":
            messages.send_message(who, project, body=f"m{first}", reply_to=message)
        case "edit":
            messages.edit_message(who, message, body=f"e{first}")
        case "delete":
            messages.delete_message(who, message)
        case "store":
            memories.store_memory(who, project, title=f"t{first}", depends_on=[memory][: first % 2])
        case "change":
            others = {memory, picked(Memory.objects, first)}
            memories.update_memory(who, picked(Memory.objects, second + 1), depends_on=others)
        case "forget":
            memories.delete_memory(who, memory)
        case "forget_all":
            Memory.objects.filter(pk__gt=memory).delete()
        case "propose":
            said = Message.objects.filter(pk=message, deleted_at=None).first()
            body = said.body if said else "nothing"
            propose(project, message, [Proposal(MemoryKind.RISK, f"p{first}", body)])
        case "accept":
            changes = {"title": f"a{first}"} if first % 3 else {}
            accept_proposal(who, project, picked(Memory.objects.proposed(), second), **changes)
        case "discard":
            discard_proposal(who, project, picked(Memory.objects.proposed(), second))
        case "rename":
            projects.update_project(who, project, name=f"n{first}", description=f"d{second}")
        case "role":
            projects.set_member(world.ada, project, user_id=who.pk, role=ROLES[second % 3])
        case "remove":
            projects.remove_member(world.ada, project, who.pk)
        case "read":
            reads.move_cursors(project, {who.pk: second + 1})
        case "roll_back":
            with rolled_back():
                world.message("lost").save()
                world.memory("lost").save()
        case "bulk":
            Message.objects.bulk_create([world.message(f"b{n}") for n in range(first % 3)])
            Memory.objects.filter(pk__lte=memory).update(importance=second / 10)
        case "pin":
            memories.update_memory(who, memory, pinned=first % 2 == 0, body=f"b{second}")
        case "bulk_roles":
            Membership.objects.exclude(user=world.ada).update(role=ROLES[second % 3])
        case "bulk_removal":
            Membership.objects.exclude(user=world.ada).delete()
        case "bulk_dependencies":
            pairs = {(memory, picked(Memory.objects, first))}
            rows = [one for one in pairs if one[0] != one[1] and one not in dependencies()]
            if Memory.objects.count() > 1:
                MemoryDependency.objects.bulk_create(
                    MemoryDependency(memory_id=key, depends_on_id=other) for key, other in rows
                )
        case "drop_dependencies":
            MemoryDependency.objects.filter(memory_id__lte=memory).delete()
        case "bulk_update":
            rows_of = list(Message.objects.filter(deleted_at=None, pk__lte=message))
            for row in rows_of:
                row.body = f"u{first}"
            Message.objects.bulk_update(rows_of, ["body"])
        case "erase":
            Message.objects.filter(replies=None).get(pk=message).delete()
        case "erase_all":
            Message.objects.filter(replies=None, pk__gte=message).delete()
        case "stranger":
            stranger, _ = User.objects.get_or_create(username="sam")
            projects.set_member(world.ada, project, user_id=stranger.pk, role=ROLES[second % 3])
        case "account_deleted":
            User.objects.filter(username="sam").delete()
        case "conversation":
            ChatSession.objects.create(project=world.project, title=f"c{first}")
            ChatSession.objects.filter(title=f"c{second}").update(title="renamed")
        case "trim":
            old = Event.objects.filter(stream__name=world.stream, seq__lte=world.trimmable)
            old.update(ts=timezone.now() - timedelta(days=31))
            for _ in trimming():
                pass


@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(actions=st.lists(ACTION, min_size=8, max_size=30), known=st.integers(0, 8))
def test_old_snapshot_and_events_give_the_fresh_snapshot(
    world: World, actions: list[tuple[str, int, int]], known: int
) -> None:
    """Whatever is in a snapshot and changes has its event, and the event says enough."""
    name = StreamName.parse(world.stream)
    with transaction.atomic():
        for action in actions[:known]:
            attempt(world, action)
        world.trimmable = seq = head(world.stream)
        state = project_snapshot(world.ada, name)
        for action in actions[known:]:
            attempt(world, action)
        for event in events_after(world.stream, seq):
            state = applied(state, event, world.ada.pk)
        left, right = ordered(state), ordered(project_snapshot(world.ada, name))
        transaction.set_rollback(True)
    assert left == right


def events_after(stream: str, seq: int) -> list[State]:
    """What a client that stands at `seq` gets: unbroken up to the head, whatever was trimmed."""
    rows = list(Event.objects.filter(stream__name=stream, seq__gt=seq).order_by("seq"))
    assert [row.seq for row in rows] == list(range(seq + 1, head(stream) + 1))
    return [json.loads(bytes(row.frame)) for row in rows]


def attempt(world: World, action: tuple[str, int, int]) -> None:
    try:
        with transaction.atomic():
            act(world, *action)
    except (RealtimeError, Message.DoesNotExist):
        pass


def ordered(state: State) -> State:
    """Lists by id. A message that was erased for good leaves its place empty where it was seen,
    and reading marks of people who have left mean nothing."""
    people = sorted(state["people"], key=lambda one: one["user"]["id"])
    members = {str(one["user"]["id"]) for one in people}
    present = set(Message.objects.values_list("pk", flat=True))
    gone = [one for one in state["messages"] if one["id"] not in present]
    assert all(one["deleted"] and not one["body"] for one in gone)
    lists = {
        name: sorted(state[name], key=lambda one: one["id"]) for name in ("messages", "memories")
    }
    lists["messages"] = [one for one in lists["messages"] if one["id"] in present]
    reads = {user: seq for user, seq in state["reads"].items() if user in members}
    return {**state, "people": people, "reads": reads, **lists}
