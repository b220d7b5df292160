"""Rows of the system's state."""

from status.models.alert import Alert, AlertRule, AlertState, Comparison, Severity, Subjects
from status.models.channel import ChannelKind, NotificationChannel
from status.models.member import Board, Member, MemberKind
from status.models.permission import Status
from status.models.sample import Sample

__all__ = [
    "Alert",
    "AlertRule",
    "AlertState",
    "Board",
    "ChannelKind",
    "Comparison",
    "Member",
    "MemberKind",
    "NotificationChannel",
    "Sample",
    "Severity",
    "Status",
    "Subjects",
]
