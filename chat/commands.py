"""The commands of chat, as sockets take them. Asynchronous: the crossing is `in_database`."""

from typing import Any

from pydantic import Field

from chat import asking, reads, typists
from chat.actions import messages, runs
from chat.queries.runs import as_it_stands, readable_run
from realtime.database import in_database
from realtime.protocol.errors import BadRequest
from realtime.protocol.payloads.shape import Body, ClientRef, Id, Seq
from realtime.protocol.streams import StreamKind, StreamName
from realtime.sockets.commands import Caller, Command, register_command


class SendMessage(Command):
    stream: str
    body: Body
    client_ref: ClientRef
    reply_to: Id | None = None
    session: Id | None = None
    ask_ai: bool = Field(default=False, strict=True)


class EditMessage(Command):
    message: Id
    body: Body
    client_ref: ClientRef | None = None


class DeleteMessage(Command):
    message: Id
    client_ref: ClientRef | None = None


class MarkRead(Command):
    stream: str
    seq: Seq


class Run(Command):
    run: Id


class Typing(Command):
    stream: str
    on: bool = Field(strict=True)


def _project_id(stream: str) -> int:
    name = StreamName.parse(stream)
    if name.kind is not StreamKind.PROJECT or name.key is None:
        raise BadRequest(f"stream: expected project.<id>, got {stream!r}")
    return name.key


async def send_message(caller: Caller, command: SendMessage) -> dict[str, Any]:
    project_id = _project_id(command.stream)
    author = caller.user  # once: it is made anew at every call
    sent = await in_database(
        messages.send_message,
        author,
        project_id,
        body=command.body,
        client_ref=command.client_ref,
        reply_to=command.reply_to,
        session=command.session,
        ask_ai=command.ask_ai,
    )
    typists.stop(project_id, author)
    return sent.as_wire()


async def edit_message(caller: Caller, command: EditMessage) -> dict[str, Any]:
    sent = await in_database(
        messages.edit_message,
        caller.user,
        command.message,
        body=command.body,
        client_ref=command.client_ref,
    )
    return sent.as_wire()


async def delete_message(caller: Caller, command: DeleteMessage) -> dict[str, Any]:
    sent = await in_database(
        messages.delete_message, caller.user, command.message, client_ref=command.client_ref
    )
    return sent.as_wire()


async def mark_read(caller: Caller, command: MarkRead) -> dict[str, Any]:
    """Clamped to what this socket was sent, so never beyond the head. What is read has arrived."""
    project_id = _project_id(command.stream)
    seq = min(command.seq, caller.cursor(command.stream))
    caller.acknowledge(command.stream, seq)
    reads.note(project_id, caller.user.pk, seq)
    return {}


async def run(caller: Caller, command: Run) -> dict[str, Any]:
    """The run as it stands. Raises NotFound, RateLimited."""
    asking.admit(caller.user.pk, command.run)
    return await in_database(_run_as_it_stands, caller.user, command.run)


def _run_as_it_stands(user: Any, run_id: int) -> dict[str, Any]:
    return as_it_stands(readable_run(user, run_id))


async def cancel_run(caller: Caller, command: Run) -> dict[str, Any]:
    return {"state": await in_database(runs.cancel_run, caller.user, command.run)}


async def typing(caller: Caller, command: Typing) -> dict[str, Any]:
    project_id = _project_id(command.stream)
    after = caller.cursor(command.stream)
    if command.on:
        typists.start(project_id, caller.user, after=after)
    else:
        typists.stop(project_id, caller.user)
    return {}


register_command("send_message", SendMessage, send_message)
register_command("edit_message", EditMessage, edit_message)
register_command("delete_message", DeleteMessage, delete_message)
register_command("mark_read", MarkRead, mark_read)
register_command("run", Run, run)
register_command("cancel_run", Run, cancel_run)
register_command("typing", Typing, typing)
