"""Rows of projects, their people, their messages and their memories."""

from chat.models.memory import Memory, MemoryDependency
from chat.models.message import ChatSession, Message, ReadCursor, ReadNotice
from chat.models.project import Membership, Project, Role
from chat.models.search import MemoryVector
from chat.models.user import User

__all__ = [
    "ChatSession",
    "Membership",
    "Memory",
    "MemoryDependency",
    "MemoryVector",
    "Message",
    "Project",
    "ReadCursor",
    "ReadNotice",
    "Role",
    "User",
]
