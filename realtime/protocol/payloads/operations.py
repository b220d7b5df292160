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


class Health(Shape):
    state: Literal["ok", "degraded", "failing"]
    parts: dict[str, str]


class Metrics(Shape):
    values: dict[str, float]


class PerformanceAlert(Shape):
    alert: str
    severity: Severity
    text: Text
    value: float | None = None
    threshold: float | None = None


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
