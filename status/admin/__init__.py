"""Rules, channels and alerts in the Django admin."""

from status.admin.alerts import AlertAdmin
from status.admin.channels import NotificationChannelAdmin
from status.admin.rules import AlertRuleAdmin

__all__ = ["AlertAdmin", "AlertRuleAdmin", "NotificationChannelAdmin"]
