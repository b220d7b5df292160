"""What every provider is asked, and what it says. Pure."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol


class Trouble(StrEnum):
    """Why there is no (whole) answer, as members are told."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    BAD_ANSWER = "bad_answer"


@dataclass(frozen=True, slots=True)
class Passage:
    """Something that the project knows. `score` is from 0 to 1; `why` says why it was found;
    `faded` is of low relevance by now."""

    kind: Literal["memory", "message"]
    id: int
    title: str
    text: str
    score: float
    why: str
    faded: bool = False

    @property
    def citation(self) -> str:
        return f"[{self.kind}:{self.id}]"


@dataclass(frozen=True, slots=True)
class Turn:
    """Something said before the question."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that a model may ask for. `parameters` is a JSON Schema; `call` takes what fits it
    and gives text for the model; what does not fit is told to the model as text too."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    call: Callable[[Mapping[str, Any]], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Question:
    """All that a provider gets to know."""

    text: str
    instructions: str = ""
    history: Sequence[Turn] = ()
    passages: Sequence[Passage] = ()
    tools: Sequence[Tool] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Delta:
    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is whole."""


@dataclass(frozen=True, slots=True)
class Error:
    """The answer ends here. `message` is for members, `detail` for operators; neither has a secret.

    temporary: another attempt may succeed, after `retry_after_s` where the provider said so
    outage: it speaks against the provider as a whole, and counts for its circuit breaker
    operator: somebody has to change the configuration
    """

    trouble: Trouble
    message: str
    detail: str = ""
    temporary: bool = False
    retry_after_s: float | None = None
    outage: bool = False
    operator: bool = False


Piece = Delta | Usage | Done | Error
Pieces = AsyncGenerator[Piece, None]


class Provider(Protocol):
    """`name` is what runs are labelled with. Closing the generator that `answer` gives closes the
    provider's stream; it ends with `Done` or `Error` and raises nothing of its own."""

    @property
    def name(self) -> str: ...

    def answer(self, question: Question) -> Pieces: ...
