"""The core's rows in the Django admin, and the form that every text of the project goes through."""

from realtime.admin.api_keys import ApiKeyAdmin
from realtime.admin.audit import AuditChainAdmin, AuditEntryAdmin
from realtime.admin.bans import BanAdmin
from realtime.admin.broadcasts import (
    BroadcastAcknowledgementAdmin,
    BroadcastAdmin,
    BroadcastAudienceAdmin,
    BroadcastDayAdmin,
)
from realtime.admin.connections import LiveConnectionAdmin
from realtime.admin.delivery import DeliveredRangeAdmin
from realtime.admin.jobs import JobAdmin, PeriodicJobAdmin
from realtime.admin.log import (
    ClientRefAdmin,
    EventAdmin,
    IncidentReportAdmin,
    InstallationAdmin,
    StreamAdmin,
)

__all__ = [
    "ApiKeyAdmin",
    "AuditChainAdmin",
    "AuditEntryAdmin",
    "BanAdmin",
    "BroadcastAcknowledgementAdmin",
    "BroadcastAdmin",
    "BroadcastAudienceAdmin",
    "BroadcastDayAdmin",
    "ClientRefAdmin",
    "DeliveredRangeAdmin",
    "EventAdmin",
    "IncidentReportAdmin",
    "InstallationAdmin",
    "JobAdmin",
    "LiveConnectionAdmin",
    "PeriodicJobAdmin",
    "StreamAdmin",
]
