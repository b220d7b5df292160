"""Projects, people, messages and memories in the Django admin.

Saving goes through the models, so that what is changed here reaches every connected client.
"""

from chat.admin.conversation import (
    ChatSessionAdmin,
    MessageAdmin,
    ProjectContextAdmin,
    ReadCursorAdmin,
    ReadNoticeAdmin,
)
from chat.admin.memories import MemoryAdmin, MemoryDependencyAdmin, ProposalRulingAdmin
from chat.admin.people import PersonAdmin
from chat.admin.projects import MembershipAdmin, ProjectAdmin
from chat.admin.runs import AiRunAdmin
from chat.admin.search import MemoryVectorAdmin

__all__ = [
    "AiRunAdmin",
    "ChatSessionAdmin",
    "MembershipAdmin",
    "MemoryAdmin",
    "MemoryDependencyAdmin",
    "MemoryVectorAdmin",
    "MessageAdmin",
    "PersonAdmin",
    "ProjectAdmin",
    "ProjectContextAdmin",
    "ProposalRulingAdmin",
    "ReadCursorAdmin",
    "ReadNoticeAdmin",
]
