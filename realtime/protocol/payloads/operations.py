"""What operators and the system say: broadcasts, notices, status, warnings, control frames."""

from typing import Literal

from pydantic import JsonValue

from realtime.protocol.payloads.shape import Id, Moment, Person, Shape, Text

Severity = Literal["info", "warning", "critical"]


class Broadcast(Shape):
    """`html` is `body` (Markdown) rendered and sanitised. After its end the texts are empty and
    `expired` is true, in the log; clients drop it by themselves when `expires_at` comes."""

    broadcast: Id
    title: Text
    body: Text
    html: Text
    level: Literal["info", "success", "warning", "critical"] = "info"
    priority: Literal["low", "normal", "high", "urgent"]
    must_acknowledge: bool = False
    author: Person | None = None
    published_at: Moment | None = None
    expires_at: Moment | None
    expired: bool = False


class BroadcastJob(Shape):
    """What publishes it: its state, its attempts, and what the last one failed with."""

    id: Id
    state: str
    attempt: int
    max_attempts: int
    error_class: str


class BroadcastReport(Shape):
    """A broadcast as those who manage it see it. People: `addressed` when it was published (before,
    an estimate); `delivered` and `acknowledged` of those; `late` came later and have it."""

    id: Id
    scope: Literal["system", "project", "user"]
    target: Id | None
    kind: str
    title: Text
    body: Text
    html: Text
    level: Literal["info", "success", "warning", "critical"]
    priority: Literal["low", "normal", "high", "urgent"]
    must_acknowledge: bool
    on: bool
    starts_at: Moment | None
    ends_at: Moment | None
    author: Person | None
    status: str
    seq: int | None
    created_at: Moment
    publish_at: Moment | None
    published_at: Moment | None
    expires_at: Moment | None
    ended_at: Moment | None
    addressed: int
    delivered: int
    acknowledged: int
    late: int
    job: BroadcastJob | None = None


class SystemNotification(Shape):
    """`kind` says what about; `credentials_ended`, and `disconnected` (by an administrator), close
    the sockets that they concern. `broadcast` is about the end of one: `{broadcast, state}`.
    `notice` is one by itself, `text` its title."""

    kind: str
    text: Text
    broadcast: Id | None = None
    state: str | None = None
    notice: Broadcast | None = None


class Maintenance(Shape):
    """`text` is the title of `notice`."""

    on: bool
    text: Text
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    notice: Broadcast | None = None


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
    """`part` is what was measured: with `broadcast`, values are `{broadcast, addressed, delivered,
    acknowledged, late}`."""

    values: dict[str, float]
    part: str | None = None


class PerformanceAlert(Shape):
    """`alert` is the rule's name, `id` the story that this is a part of; `subject` the process or
    the class of errors that it is about, "" for the system. `ended` says how it closed. Without
    `seq` and `id` it is what one node saw while the database was away: its event follows."""

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
    opened_at: Moment | None = None


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
