"""What is found out about one message. Shapes only; everything here is made by `analysis`."""

from dataclasses import dataclass, field
from enum import StrEnum

from chat.models import MemoryKind
from chat.queries.similar import Match, SearchMode


class Step(StrEnum):
    """In their order."""

    TERMS = "terms"
    MEMORIES = "memories"
    ISSUES = "issues"
    DEPENDENCIES = "dependencies"
    PROPOSALS = "proposals"
    SUMMARY = "summary"


class Trouble(StrEnum):
    """Why a step found nothing out."""

    UNAVAILABLE = "unavailable"  # the database was away or busy, several times in a row
    INTERNAL = "internal"  # a fault of ours; the worker's log has it


@dataclass(frozen=True, slots=True)
class StepError:
    step: Step
    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a message says that may be worth keeping. `body` is a part of the message, as it is."""

    kind: MemoryKind
    title: str
    body: str


@dataclass(slots=True)
class Findings:
    """`memories` and `issues` best first, `dependencies` nearest first; None where a step failed.

    `timings_ms` has each step, and `queue`: from the job's enqueueing to the first step.
    """

    message: int
    project: int
    body: str
    terms: list[str] = field(default_factory=list)
    mode: SearchMode | None = None
    matches: list[Match] = field(default_factory=list)
    memories: list[Match] = field(default_factory=list)
    issues: list[Match] = field(default_factory=list)
    dependencies: list[int] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    summary: str | None = None
    timings_ms: dict[str, int] = field(default_factory=dict)
    errors: list[StepError] = field(default_factory=list)
