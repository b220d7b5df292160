"""From a saved row to its event: each receiver builds, and publishes, nothing else.

They run inside the row's own transaction, under the lock of its stream (`LoggedModel`). Rows of a
fixture (`raw`) are history, not news; rows that go down with their project are told by the
project's own last event.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete
from django.dispatch import receiver

from chat import events
from chat.actions.dependents import tell_dependents
from chat.actions.proposals import withdraw_proposals
from chat.actions.relevance import reconsider
from chat.actions.runs import withdraw_run
from chat.models import (
    ChatSession,
    Membership,
    Memory,
    MemoryDependency,
    Message,
    MessageKind,
    Project,
    User,
)
from chat.models.memory import memories_touched
from chat.search.jobs import embed_when_changed
from realtime.log.locks import create_stream
from realtime.log.trimming import trim_all
from realtime.log.writing import call_together, publish
from realtime.protocol.streams import project_stream, user_stream
from realtime.security.endings import publish_ending

Fields = Iterable[str] | None


def _goes_with_project(origin: Any) -> bool:
    return isinstance(origin, Project) or getattr(origin, "model", None) is Project


def _goes_with_memory(origin: Any) -> bool:
    return isinstance(origin, Memory) or getattr(origin, "model", None) is Memory


@receiver(post_save, sender=Message)
def message_saved(
    instance: Message, created: bool, raw: bool, update_fields: Fields = None, **_: Any
) -> None:
    if not raw:
        row = instance.as_stored(update_fields)
        publish(project_stream(row.project_id), events.message_saved(row, created=created))


@receiver(post_save, sender=Message)
def answer_withdrawn(instance: Message, **_: Any) -> None:
    """The run behind a deleted answer keeps no text either, and ends if it is under way."""
    if instance.kind == MessageKind.AI and instance.deleted_at is not None:
        withdraw_run(instance)


@receiver(post_delete, sender=Message)
def message_deleted(instance: Message, origin: Any = None, **_: Any) -> None:
    if not _goes_with_project(origin):
        publish(project_stream(instance.project_id), events.message_deleted(instance))


@receiver(post_save, sender=Message)
def proposals_reconsidered(instance: Message, created: bool, raw: bool, **_: Any) -> None:
    if not (created or raw):
        call_together(withdraw_proposals, instance.pk)


@receiver(post_delete, sender=Message)
def proposals_withdrawn(instance: Message, origin: Any = None, **_: Any) -> None:
    if not _goes_with_project(origin):
        call_together(withdraw_proposals, instance.pk)


@receiver(post_save, sender=ChatSession)
def session_saved(instance: ChatSession, raw: bool, update_fields: Fields = None, **_: Any) -> None:
    if not raw:
        row = instance.as_stored(update_fields)
        publish(project_stream(row.project_id), events.session_saved(row))


@receiver(post_save, sender=Memory)
def memory_saved(
    instance: Memory, created: bool, raw: bool, update_fields: Fields = None, **_: Any
) -> None:
    if not raw:
        row = instance.as_stored(update_fields)
        publish(project_stream(row.project_id), events.memory_saved(row, created=created))
        embed_when_changed(row)


@receiver(memories_touched, sender=Memory)
def dependents_concerned(memories: Iterable[Memory], going: bool, **_: Any) -> None:
    tell_dependents(memories, going=going)


@receiver(memories_touched, sender=Memory)
def relevance_reconsidered(memories: Iterable[Memory], going: bool, **_: Any) -> None:
    if not going:
        reconsider(memories)


@receiver(post_delete, sender=Memory)
def memory_deleted(instance: Memory, origin: Any = None, **_: Any) -> None:
    if not _goes_with_project(origin):
        publish(project_stream(instance.project_id), events.memory_deleted(instance))


@receiver([post_save, post_delete], sender=MemoryDependency)
def dependency_changed(
    instance: MemoryDependency, origin: Any = None, raw: bool = False, **_: Any
) -> None:
    goes_with_memory = isinstance(origin, Memory) and origin.pk == instance.memory_id
    if not (raw or goes_with_memory or _goes_with_project(origin)):
        ids = instance.memory.dependencies.values_list("depends_on_id", flat=True)
        gone = instance.depends_on_id if _goes_with_memory(origin) else None
        stream = project_stream(instance.memory.project_id)
        publish(stream, events.dependency_updated(instance.memory_id, ids, because=gone))


@receiver(post_save, sender=Project)
def project_saved(
    instance: Project, created: bool, raw: bool, update_fields: Fields = None, **_: Any
) -> None:
    if created:
        create_stream(project_stream(instance.pk))
    if not raw:
        stream = user_stream(instance.created_by_id) if created else project_stream(instance.pk)
        publish(stream, events.project_saved(instance.as_stored(update_fields), created=created))


@receiver(pre_delete, sender=Project)
def project_deleted(instance: Project, **_: Any) -> None:
    publish(project_stream(instance.pk), events.project_deleted(instance, ends=True))
    for user_id in instance.memberships.values_list("user_id", flat=True):
        publish(user_stream(user_id), events.project_deleted(instance))


@receiver(post_delete, sender=Project)
def project_gone(instance: Project, **_: Any) -> None:
    """Before the end itself is appended: deletions are published together, at their end."""
    trim_all(project_stream(instance.pk))


@receiver(post_save, sender=Membership)
def membership_saved(
    instance: Membership, raw: bool, update_fields: Fields = None, **_: Any
) -> None:
    if not raw:
        row = instance.as_stored(update_fields)
        for stream in row.stream_names():
            publish(stream, events.project_joined(row))


@receiver(post_delete, sender=Membership)
def membership_deleted(instance: Membership, origin: Any = None, **_: Any) -> None:
    if not _goes_with_project(origin):
        publish(project_stream(instance.project_id), events.project_left(instance, ends=True))
        publish(user_stream(instance.user_id), events.project_left(instance))


@receiver(post_save, sender=User)
def user_saved(instance: User, created: bool, **_: Any) -> None:
    """Here rather than in `User.save`, which bulk creation and fixtures do not call."""
    if created:
        create_stream(user_stream(instance.pk))


@receiver(post_delete, sender=User)
def user_deleted(instance: User, **_: Any) -> None:
    publish_ending(instance.pk, user_stream(instance.pk), "Your account was deleted.")
