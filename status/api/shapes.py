"""What status is asked, and what it answers."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, JsonValue

from realtime.api.inputs import Input
from realtime.protocol.payloads.operations import PartState, Severity
from realtime.protocol.payloads.shape import Moment

FIRST_YEAR, LAST_YEAR = 2000, 2200


def _in_our_days(moment: datetime) -> datetime:
    """Arithmetic on others overflows, and nothing was measured then."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"expected a year from {FIRST_YEAR} to {LAST_YEAR}, got {moment.year}")
    return moment


_When = Annotated[AwareDatetime, AfterValidator(_in_our_days)]


class HistoryQuery(Input):
    """`from` and `to` are RFC 3339 with a zone; without them it is the last hour."""

    model_config = {**Input.model_config, "populate_by_name": True}

    measure: Annotated[str, Field(max_length=80, description="component.measure, as cpu.percent")]
    begin: Annotated[_When | None, Field(alias="from", description="the beginning")] = None
    end: Annotated[_When | None, Field(alias="to", description="the end")] = None
    step: Annotated[
        int | None, Field(ge=10, le=31_622_400, description="seconds, a multiple of 10")
    ] = None
    member: Annotated[
        str | None, Field(max_length=48, description="one process, instead of all")
    ] = None


class AlertsQuery(Input):
    state: Annotated[
        Literal["open", "closed", "all"], Field(description="which alerts, newest first")
    ] = "open"
    limit: Annotated[int, Field(ge=1, le=200, description="how many at most")] = 50


class HealthAnswer(BaseModel):
    state: PartState
    parts: dict[str, PartState]
    texts: dict[str, str]
    nodes: int
    version: int | None


class NumbersAnswer(HealthAnswer):
    values: dict[str, float]


class LiveAnswer(NumbersAnswer):
    """`alerts`: how many are open."""

    alerts: int


class MeasureAnswer(BaseModel):
    name: str
    unit: str
    text: str
    merge: Literal["max", "min", "sum"]


class MeasuredAnswer(MeasureAnswer):
    """`value` is null where it was not measured, or not looked at yet."""

    component: str
    value: float | None


class MeasuresAnswer(BaseModel):
    measures: list[MeasuredAnswer]


class ComponentAnswer(BaseModel):
    name: str
    label: str
    scope: Literal["process", "node", "system"]
    vital: bool
    every_s: float
    limit_s: float
    meaning: dict[str, str]
    measures: list[MeasureAnswer]


class MemberAnswer(BaseModel):
    """A process that is alive."""

    id: str
    kind: Literal["node", "worker"]
    host: str
    pid: int
    started_at: Moment
    parts: dict[str, PartState]
    values: dict[str, float]


class AlertAnswer(BaseModel):
    id: int
    alert: str
    component: str
    subject: str
    text: str
    severity: Severity
    state: Literal["open", "closed"]
    value: float | None
    threshold: float
    opened_at: Moment | None
    escalated_at: Moment | None
    acknowledged_at: Moment | None
    acknowledged_by: str | None
    closed_at: Moment | None
    ended: str | None
    flaps: int
    tried: list[dict[str, str]]
    samples: list[str]


class SystemAnswer(NumbersAnswer):
    components: list[ComponentAnswer]
    alerts: list[AlertAnswer]
    members: list[MemberAnswer]


class AlertsAnswer(BaseModel):
    alerts: list[AlertAnswer]


class PointAnswer(BaseModel):
    """Of the step from `at` on; steps without a value are left out."""

    at: datetime
    count: int
    min: float
    max: float
    average: float


class HistoryAnswer(BaseModel):
    measure: str
    unit: str
    step: int
    points: list[PointAnswer]


class EventTypeAnswer(BaseModel):
    """`data` is the JSON Schema of its payload."""

    name: str
    durability: Literal["event", "signal", "control"]
    family: str
    streams: list[str]
    audience: str
    data: dict[str, JsonValue]


class EventTypesAnswer(BaseModel):
    types: list[EventTypeAnswer]
