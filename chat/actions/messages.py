"""Sending, editing and deleting messages."""

from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction
from django.utils import timezone

from chat import events
from chat.actions.context import analyse_on_commit
from chat.actions.runs import queue_run, require_question
from chat.models import AiRun, Message, Role, User
from chat.queries.access import require_writer, writing_membership
from chat.queries.sending import standing_of
from realtime.log.client_refs import Write, earlier_write, remember_write
from realtime.log.locks import lock_streams
from realtime.log.writing import published_seq
from realtime.models import ClientRef, Event
from realtime.protocol.errors import Conflict, Forbidden, NotFound
from realtime.protocol.payloads.chat import SentBody
from realtime.protocol.streams import project_stream
from realtime.protocol.validation import validated
from realtime.retrying import retried


@dataclass(frozen=True, slots=True)
class Sent:
    """A message as it is now, and the seq of the event that the write (or its first try) made."""

    message: Message
    seq: int | None
    created: bool
    run: AiRun | None = None  # where the message asked the AI

    def as_wire(self) -> dict[str, Any]:
        wire = {"message": events.message(self.message), "seq": self.seq}
        return wire if self.run is None else {**wire, "run": events.run(self.run)}


def _write(user: User, client_ref: str | None, *content: Any) -> Write | None:
    return Write(user.pk, client_ref, content) if client_ref is not None else None


def _again(earlier: ClientRef | None) -> Sent | None:
    if earlier is None:
        return None
    message = Message.objects.select_related("author").filter(pk=earlier.target).first()
    if message is None:
        raise NotFound("client_ref: expected the message that it made, got one that is gone")
    return Sent(message, earlier.seq, created=False, run=message.asked_runs.first())


def _by_reference(write: Write, message_id: int, project_id: int, body: str) -> Sent:
    """The message that bears the reference though no write is remembered for it: an import, a
    shell or a bulk write made it. Raises Conflict where it is another one.
    """
    message: Message = Message.objects.select_related("author").get(pk=message_id)
    untouched = message.edited_at is None and message.deleted_at is None
    if message.project_id != project_id or (untouched and message.body != body):
        raise Conflict(
            f"client_ref: expected a new reference, got {write.ref!r}, another message's"
        )
    seq = _newest_seq(message)
    remember_write(write, message.pk, seq)
    return Sent(message, seq, created=False)


def _done(write: Write | None, message: Message, *, created: bool) -> Sent:
    stream = project_stream(message.project_id)
    seq = published_seq(stream) or _newest_seq(message)  # where nothing changed
    remember_write(write, message.pk, seq)
    return Sent(message, seq, created=created)


def _newest_seq(message: Message) -> int | None:
    """Of the newest event that tells of the message; None when none is left."""
    telling = Event.objects.filter(subject=message.subject).order_by("-seq")
    return telling.values_list("seq", flat=True).first()


@retried
@transaction.atomic
def send_message(
    author: User,
    project_id: int,
    *,
    body: str,
    client_ref: str | None = None,
    reply_to: int | None = None,
    session: int | None = None,
    ask_ai: bool = False,
) -> Sent:
    """Store a message; the same `client_ref` again gives the first one as it is now.

    With `ask_ai`, or where it begins with `@ai`, the AI's answer is queued in the same transaction.
    Raises NotFound, Forbidden, BadRequest, TooLarge, Conflict, LimitReached, Unavailable.
    """
    validated(SentBody, {"body": body})
    asks = require_question(body, ask_ai=ask_ai)
    lock_streams(project_stream(project_id))
    content = ("send_message", project_id, body, reply_to)
    write = _write(author, client_ref, *content, *(("ask_ai",) if ask_ai else ()))
    # Before the reading: only under the claim can nobody else be making this very message.
    earlier = earlier_write(write)
    standing = standing_of(
        author.pk, project_id, client_ref=client_ref, reply_to=reply_to, session=session
    )
    require_writer(standing.role)
    if (again := _again(earlier)) is not None:
        return again
    if write is not None and standing.borne_by is not None:
        return _by_reference(write, standing.borne_by, project_id, body)
    if reply_to is not None and not standing.reply_fits:
        raise NotFound(f"reply_to: expected a message of the project, got {reply_to}")
    if standing.session is None:
        raise NotFound(f"session: expected a session of the project, got {session}")
    message = Message(
        project_id=project_id,
        session_id=standing.session,
        author=author,
        body=body,
        client_ref=client_ref,
        reply_to_id=reply_to,
    )
    message.save()
    if not standing.analysis_waits:
        analyse_on_commit(project_id)
    sent = _done(write, message, created=True)
    return replace(sent, run=queue_run(message, author)) if asks else sent


def _own_message(actor: User, message_id: int) -> Message:
    """The message, its stream locked; its author or an owner of the project may change it."""
    project_id = Message.objects.filter(pk=message_id).values_list("project_id", flat=True).first()
    lock_streams(project_stream(project_id or 0))
    try:
        membership = writing_membership(actor, project_id or 0)
    except NotFound as error:
        # One text for a message of others and for one that does not exist.
        unseen = "message: expected a message that you may see, got none by that id"
        raise NotFound(unseen) from error
    message = Message.objects.select_related("author").get(pk=message_id)
    if message.author_id != actor.pk and membership.role != Role.OWNER:
        raise Forbidden("message: expected one of your own, got another person's")
    return message


@retried
@transaction.atomic
def edit_message(actor: User, message_id: int, *, body: str, client_ref: str | None = None) -> Sent:
    """Replace the text of one's own message. Raises NotFound, Forbidden, Conflict, BadRequest."""
    validated(SentBody, {"body": body})
    message = _own_message(actor, message_id)
    write = _write(actor, client_ref, "edit_message", message_id, body)
    if (again := _again(earlier_write(write))) is not None:
        return again
    if message.author_id != actor.pk:
        raise Forbidden("message: expected one of your own, got another person's")
    if message.deleted_at is not None:
        raise Conflict("message: expected one that is not deleted, got a deleted one")
    if message.body != body:
        message.body = body
        message.edited_at = timezone.now()
        message.save()
    return _done(write, message, created=False)


@retried
@transaction.atomic
def delete_message(actor: User, message_id: int, *, client_ref: str | None = None) -> Sent:
    """Take a message's text away, for good. Deleting again changes nothing.

    Raises NotFound, Forbidden, Conflict.
    """
    message = _own_message(actor, message_id)
    write = _write(actor, client_ref, "delete_message", message_id)
    if (again := _again(earlier_write(write))) is not None:
        return again
    if message.deleted_at is None:
        message.body = ""
        message.deleted_at = timezone.now()
        message.save()
    return _done(write, message, created=False)
