"""Every event type, declared once (protocol document, section 9).

From this table come validation at the writer, the wire schema and the documentation. A name never
changes once shipped.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from realtime.protocol.errors import RealtimeError
from realtime.protocol.payloads import ai, chat, memory, operations, people, project
from realtime.protocol.payloads.shape import Shape
from realtime.protocol.streams import StreamKind
from realtime.protocol.validation import as_error

PROJECT, USER, SYSTEM, STATUS = StreamKind


class Durability(StrEnum):
    EVENT = "event"  # has a seq, is logged and replayed
    SIGNAL = "signal"  # no seq, may be lost
    CONTROL = "control"  # made by a node for one socket, never dropped


class Family(StrEnum):
    """What an operator can switch off as a whole."""

    CHAT = "chat"
    MEMORY = "memory"
    STATUS = "status"
    CORE = "core"


class UndeclaredEvent(RealtimeError):
    """A writer's own fault: the type, its stream or its payload is not what the catalogue says."""


@dataclass(frozen=True, slots=True)
class EventType:
    name: str
    payload: type[Shape]
    durability: Durability
    streams: frozenset[StreamKind]
    audience: str
    family: Family
    text_paths: tuple[tuple[str, ...], ...] = ()  # where a subject's text stands, to be blanked
    ahead: bool = False  # also a signal, while its event cannot be written yet

    def checked(self, data: dict[str, Any]) -> Shape:
        """`data` as the payload. Raises UndeclaredEvent."""
        try:
            return self.payload.model_validate(data)
        except ValidationError as error:
            raise UndeclaredEvent(f"{self.name}: {as_error(error).message}") from error

    def encodable(self, data: dict[str, Any]) -> dict[str, Any]:
        """`data` checked against the payload, in wire form. Raises UndeclaredEvent."""
        return self.checked(data).model_dump(mode="json")

    def encoded(self, data: dict[str, Any]) -> bytes:
        """As `encodable`, as JSON text."""
        return to_json(self.checked(data))


_AUDIENCE = {
    PROJECT: "members of the project",
    USER: "that person",
    SYSTEM: "everyone signed in",
    STATUS: "operators",
}


def _declared(
    durability: Durability,
    family: Family,
    streams: Iterable[StreamKind],
    **payloads: type[Shape],
) -> list[EventType]:
    kinds = frozenset(streams)
    audience = (
        " or ".join(text for kind, text in _AUDIENCE.items() if kind in kinds) or "one socket"
    )
    return [
        EventType(
            name,
            payload,
            durability,
            kinds,
            audience,
            family,
            _text_paths(payload),
        )
        for name, payload in payloads.items()
    ]


# Where texts of people stand. Of memories only those frames have a subject that repeat a message.
_TEXTS = {"message": (chat.Message, ("body",)), "memory": (memory.Memory, ("title", "body"))}
_NOTICE = (("title",), ("body",), ("html",))


def _text_paths(payload: type[Shape]) -> tuple[tuple[str, ...], ...]:
    if payload is operations.Broadcast:
        return _NOTICE
    if "notice" in payload.model_fields:
        return (("text",), *(("notice", *path) for path in _NOTICE))
    return tuple(
        (holder, text)
        for holder, (shape, texts) in _TEXTS.items()
        if holder in payload.model_fields and payload.model_fields[holder].annotation is shape
        for text in texts
    )


_E, _S, _C = Durability
_ALL = (
    # connection: made for one socket
    *_declared(
        _C,
        Family.CORE,
        (),
        authentication_success=operations.ConnectionOpened,
        authentication_failed=operations.ConnectionNotice,
        connection_error=operations.ConnectionNotice,
        connect=operations.ConnectionNotice,
        disconnect=operations.ConnectionNotice,
        server_shutdown=operations.Shutdown,
    ),
    # chat
    *_declared(
        _E,
        Family.CHAT,
        [PROJECT],
        new_message=chat.NewMessage,
        message_updated=chat.MessageUpdated,
        message_deleted=chat.MessageDeleted,
        message_processed=chat.MessageProcessed,
        message_read=chat.MessageRead,
        chat_status_update=chat.ChatStatus,
    ),
    *_declared(
        _S,
        Family.CHAT,
        [PROJECT],
        typing_indicator=chat.Typing,
        typing_stop=chat.Typing,
        user_typing=chat.TypingList,
    ),
    # projects
    *_declared(
        _E,
        Family.CORE,
        [PROJECT, USER],
        project_created=project.ProjectChanged,
        project_updated=project.ProjectChanged,
        project_deleted=project.ProjectDeleted,
        project_joined=project.ProjectJoined,
        project_left=project.ProjectLeft,
    ),
    # AI
    *_declared(
        _E,
        Family.CHAT,
        [PROJECT],
        ai_processing_start=ai.RunStarted,
        ai_response_generated=ai.ResponseGenerated,
        ai_processing_end=ai.RunEnded,
        ai_processing_error=ai.RunError,
    ),
    *_declared(_S, Family.CHAT, [PROJECT], ai_processing_progress=ai.RunProgress),
    # memory and context
    *_declared(
        _E,
        Family.MEMORY,
        [PROJECT],
        memory_stored=memory.MemoryChanged,
        memory_updated=memory.MemoryChanged,
        memory_deleted=memory.MemoryGone,
        memory_expired=memory.MemoryGone,
        memory_relevance_changed=memory.RelevanceChanged,
        dependency_updated=memory.DependencyUpdated,
        context_analysis_complete=memory.ContextComplete,
        similar_issues_found=memory.SimilarIssues,
        context_summary_updated=memory.ContextSummary,
    ),
    *_declared(
        _S,
        Family.MEMORY,
        [PROJECT],
        context_analysis_progress=memory.ContextProgress,
        key_terms_extracted=memory.KeyTerms,
        memory_retrieval_progress=memory.ContextProgress,
    ),
    # people
    *_declared(
        _S,
        Family.CORE,
        [PROJECT],
        user_joined=people.PresenceChanged,
        user_left=people.PresenceChanged,
        user_status_changed=people.PresenceChanged,
    ),
    # status
    *_declared(
        _S,
        Family.STATUS,
        [STATUS],
        system_status_update=operations.Health,
        health_check=operations.Health,
    ),
    # in a person's own stream: how a broadcast of theirs goes
    *_declared(_S, Family.STATUS, [STATUS, USER], metrics_update=operations.Metrics),
    *(
        replace(one, ahead=True)
        for one in _declared(
            _E, Family.STATUS, [STATUS], performance_alert=operations.PerformanceAlert
        )
    ),
    # admin
    *_declared(
        _E,
        Family.CORE,
        [PROJECT, USER, SYSTEM],
        broadcast_message=operations.Broadcast,
        maintenance_mode=operations.Maintenance,
    ),
    *_declared(
        _E,
        Family.CORE,
        [PROJECT, USER, SYSTEM, STATUS],
        system_notification=operations.SystemNotification,
    ),
    # errors: durable on `status`; the same names as control frames reach a single socket
    *_declared(
        _E,
        Family.STATUS,
        [STATUS],
        error_occurred=operations.Incident,
        warning_issued=operations.Incident,
        recovery_attempt=operations.Incident,
        connection_restored=operations.Incident,
    ),
)

CATALOGUE: dict[str, EventType] = {declared.name: declared for declared in _ALL}


def declared_type(name: str, kind: StreamKind, durability: Durability) -> EventType:
    """The declaration of `name` for this use. Raises UndeclaredEvent."""
    declared = CATALOGUE.get(name)
    if declared is None:
        raise UndeclaredEvent(f"expected an event type of the catalogue, got {name[:60]!r}")
    ahead = declared.ahead and durability is Durability.SIGNAL
    if declared.durability is not durability and not ahead:
        raise UndeclaredEvent(
            f"{name}: expected to be used as {declared.durability.value}, got {durability.value}"
        )
    if kind not in declared.streams:
        allowed = ", ".join(sorted(declared.streams)) or "no stream"
        raise UndeclaredEvent(f"{name}: expected a stream of kind {allowed}, got {kind.value}")
    return declared
