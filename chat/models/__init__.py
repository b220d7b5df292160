"""Rows of projects, their people, messages, memories and runs of the AI."""

from chat.models.context import ProjectContext
from chat.models.memory import Memory, MemoryDependency, MemoryKind, MemoryStatus
from chat.models.message import (
    ChatSession,
    Message,
    MessageKind,
    ReadCursor,
    ReadNotice,
    SessionStatus,
)
from chat.models.project import Membership, Project, Role
from chat.models.proposal import ProposalRuling
from chat.models.relevance import Relevance
from chat.models.run import OPEN, AiRun, RunState
from chat.models.search import MemoryVector
from chat.models.user import User

__all__ = [
    "OPEN",
    "AiRun",
    "ChatSession",
    "Membership",
    "Memory",
    "MemoryDependency",
    "MemoryKind",
    "MemoryStatus",
    "MemoryVector",
    "Message",
    "MessageKind",
    "Project",
    "ProjectContext",
    "ProposalRuling",
    "ReadCursor",
    "ReadNotice",
    "Relevance",
    "Role",
    "RunState",
    "SessionStatus",
    "User",
]
