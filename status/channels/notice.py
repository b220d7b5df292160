"""What is told of an alert, and what a channel is."""

from dataclasses import asdict, dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Notice:
    """One step of one alert; all JSON values, so that it can be a job's argument."""

    id: int
    alert: str
    state: str
    severity: str
    component: str
    subject: str
    text: str
    value: float | None
    threshold: float
    ended: str | None = None
    opened_at: str | None = None
    samples: tuple[str, ...] = ()

    @property
    def data(self) -> dict[str, Any]:
        return {**asdict(self), "samples": list(self.samples)}

    @classmethod
    def of(cls, data: dict[str, Any]) -> "Notice":
        return cls(**{**data, "samples": tuple(data["samples"])})

    @property
    def line(self) -> str:
        """For a subject or a log: at most 200 characters."""
        about = f" ({self.subject})" if self.subject else ""
        return f"[{self.severity}] {self.state}: {self.text}{about}"[:200]


class NotDelivered(Exception):
    """It may be tried again; `final` where another attempt is of no use."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class Channel(Protocol):
    async def deliver(self, notice: Notice, key: str) -> None:
        """Tell it. `key` is the same for every attempt, so that a receiver can drop repetitions.

        Runs in a worker. Raises NotDelivered.
        """
