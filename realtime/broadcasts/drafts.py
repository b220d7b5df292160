"""What somebody wants to be said: checked field by field, whoever asks (API, admin, a shell)."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from django.utils import timezone
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from realtime.protocol.errors import BadRequest
from realtime.protocol.payloads.shape import ClientRef, Title, printable, saying

BODY_MAX_CHARS = 8_000
FURTHEST = timedelta(days=366)

BroadcastBody = Annotated[
    str,
    StringConstraints(min_length=1, max_length=BODY_MAX_CHARS),
    AfterValidator(printable),
    AfterValidator(saying),
]
Flag = Annotated[bool, Field(strict=True)]


_TO_COME = ("publish_at", "expires_at", "ends_at")


def _near(moment: datetime | None, behind: str) -> datetime | None:
    """In UTC, which what is far beyond could not be given in."""
    if moment is None:
        return None
    away = moment - timezone.now()
    if abs(away) > FURTHEST:
        wanted = behind if away < timedelta(0) else "within a year"
        raise ValueError(f"expected a moment {wanted}, got {moment.isoformat()}")
    return moment.astimezone(UTC)


class BroadcastDraft(BaseModel):
    """`body` is Markdown. `publish_at` is absent for now. `on`, `starts_at` and `ends_at` are of
    `maintenance_mode`. The same `client_ref` again gives the broadcast that it made. `confirm` says
    that everybody is meant, where `system` is spoken to."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Literal["broadcast_message", "system_notification", "maintenance_mode"] = (
        "broadcast_message"
    )
    title: Annotated[Title, AfterValidator(saying)]
    body: BroadcastBody
    level: Literal["info", "success", "warning", "critical"] = "info"
    priority: Literal["low", "normal", "high", "urgent"] = "normal"
    must_acknowledge: Flag = False
    publish_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    on: Flag = True
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    client_ref: ClientRef | None = None
    confirm: Flag = False

    @field_validator(*_TO_COME)
    @classmethod
    def _within_a_year(cls, value: datetime | None) -> datetime | None:
        return _near(value, "to come")

    @field_validator("starts_at")
    @classmethod
    def _near_by(cls, value: datetime | None) -> datetime | None:
        return _near(value, "within a year")

    @field_validator("expires_at")
    @classmethod
    def _after_publishing(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        return _after(value, info, "publish_at")

    @field_validator("ends_at")
    @classmethod
    def _after_its_start(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        return _after(_after(value, info, "starts_at"), info, "publish_at")

    def require_to_come(self) -> None:
        """Apart from the validation: who asks again with the same `client_ref` gets what it made,
        whose moment may be over by then. (Maintenance may have begun already.) Raises BadRequest.
        """
        now = timezone.now()
        for name in _TO_COME:
            moment: datetime | None = getattr(self, name)
            if moment is not None and moment <= now:
                raise BadRequest(f"{name}: expected a moment to come, got {moment.isoformat()}")

    @property
    def content(self) -> str:
        """Everything that makes it this broadcast and no other, as text."""
        return json.dumps(self.model_dump(mode="json", exclude={"client_ref", "confirm"}))

    @property
    def digest(self) -> str:
        """Equal for what people would take for the same: when it is to come does not count."""
        same = (self.kind, self.title, self.body, self.level, self.on)
        return hashlib.sha256(json.dumps(same).encode()).hexdigest()


def _after(value: datetime | None, info: ValidationInfo, name: str) -> datetime | None:
    before: datetime | None = info.data.get(name)
    if value is not None and before is not None and value <= before:
        raise ValueError(f"expected a moment after {name}, got {value.isoformat()}")
    return value
