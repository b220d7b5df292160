"""The rows that the core owns."""

from realtime.models.api_key import ApiKey
from realtime.models.audit import AuditChain, AuditEntry
from realtime.models.ban import Ban
from realtime.models.broadcast import (
    Broadcast,
    BroadcastAcknowledgement,
    BroadcastAudience,
    BroadcastDay,
)
from realtime.models.client_ref import ClientRef
from realtime.models.delivery import DeliveredRange
from realtime.models.event import Event
from realtime.models.incident import IncidentReport
from realtime.models.installation import Installation
from realtime.models.job import Job, JobState, PeriodicJob
from realtime.models.live_connection import LiveConnection
from realtime.models.stream import Stream

__all__ = [
    "ApiKey",
    "AuditChain",
    "AuditEntry",
    "Ban",
    "Broadcast",
    "BroadcastAcknowledgement",
    "BroadcastAudience",
    "BroadcastDay",
    "ClientRef",
    "DeliveredRange",
    "Event",
    "IncidentReport",
    "Installation",
    "Job",
    "JobState",
    "LiveConnection",
    "PeriodicJob",
    "Stream",
]
