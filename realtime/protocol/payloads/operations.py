"""What operators and the system say: broadcasts, notices, status, warnings, control frames."""

from typing import Literal

from pydantic import JsonValue

from realtime.protocol.payloads.shape import Id, Moment, Person, Shape, Text

Severity = Literal["info", "warning", "critical"]


class Broadcast(Shape):
    broadcast: Id
    title: Text
    body: Text
    priority: Literal["low", "normal", "high", "urgent"]
    expires_at: Moment | None
    expired: bool = False


class SystemNotification(Shape):
    """`kind` says what about; `credentials_ended`, and `disconnected` (by an administrator), close
    the sockets that they concern."""

    kind: str
    text: Text
    broadcast: Id | None = None
    state: str | None = None


class Maintenance(Shape):
    on: bool
    text: Text
    starts_at: Moment | None = None
    ends_at: Moment | None = None


PartState = Literal["ok", "degraded", "down", "unknown"]


class Health(Shape):
    """The whole and each part; `texts` for those that are not ok. `version` rises with each change,
    and is null where a node could only say what it sees by itself."""

    state: PartState
    parts: dict[str, PartState]
    texts: dict[str, Text] = {}
    nodes: int = 0
    version: int | None = None


class Metrics(Shape):
    values: dict[str, float]


class PerformanceAlert(Shape):
    """`alert` is the rule's name, `id` the story that this is a part of; `subject` the process or
    the class of errors that it is about, "" for the system. `ended` says how it closed."""

    alert: str
    severity: Severity
    text: Text
    value: float | None = None
    threshold: float | None = None
    id: Id | None = None
    state: Literal["opened", "reopened", "escalated", "acknowledged", "closed"] = "opened"
    component: str | None = None
    subject: str = ""
    ended: Text | None = None


class Incident(Shape):
    """`part` is what is concerned, e.g. `channel_layer`."""

    code: str
    text: Text
    part: str | None = None
    detail: dict[str, JsonValue] | None = None


class ConnectionOpened(Shape):
    """The `data` of `authentication_success`."""

    connection: str
    user: Person
    server_time: Moment
    heartbeat_s: float
    expires_at: Moment | None
    protocol: Literal["pm.v1"]


class Shutdown(Shape):
    reconnect_after_ms: int


class StreamEnded(Shape):
    """The `data` of the `project_left` that has no seq."""

    reason: Literal["removed", "deleted"]


class ConnectionNotice(Shape):
    code: str
    text: Text
