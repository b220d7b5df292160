"""What the API answers with: the wire shapes of the protocol, and pages of them."""

from pydantic import BaseModel, RootModel

from realtime.api.pages import Page
from realtime.protocol.payloads.ai import Run
from realtime.protocol.payloads.ai import RunState as RunStateName
from realtime.protocol.payloads.chat import ChatStatus, Message
from realtime.protocol.payloads.memory import Memory
from realtime.protocol.payloads.project import Member, Project
from realtime.protocol.payloads.shape import Person


class ProjectPage(Page):
    results: list[Project]


class MemberPage(Page):
    results: list[Member]


class ChatSessionPage(Page):
    results: list[ChatStatus]


class MessagePage(Page):
    results: list[Message]


class MemoryPage(Page):
    results: list[Memory]


class Receipt(BaseModel):
    user: Person


class Receipts(BaseModel):
    """By user id; who has read a message has received it."""

    received: list[Receipt]
    read: list[Receipt]


class MessageWritten(BaseModel):
    """The message as it is now, and the seq of the event in the project's stream."""

    message: Message
    seq: int | None
    run: Run | None = None


class Asked(BaseModel):
    """The question as stored, and the run that answers it."""

    message: Message
    run: Run


class RunState(BaseModel):
    """The state that the run was found in; one under way ends as soon as its worker has heard."""

    state: RunStateName


class SimilarMemory(BaseModel):
    """`score` is from 0 to 1, `why` a short text for people."""

    memory: Memory
    score: float
    why: str


class SimilarMemories(RootModel[list[SimilarMemory]]):
    """Best first."""
