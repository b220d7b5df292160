"""Alerts: looked at, and acknowledged."""

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from realtime.admin.readonly import ReadOnlyAdmin
from realtime.protocol.errors import RealtimeError
from status.alerts.acknowledging import acknowledge
from status.models import Alert


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """Written by the evaluation of rules alone."""

    list_display = [
        "id",
        "rule",
        "subject",
        "severity",
        "state",
        "value",
        "opened_at",
        "acknowledged_by",
        "closed_at",
    ]
    list_filter = ["state", "severity", "rule"]
    list_select_related = ["rule", "acknowledged_by"]
    ordering = ["-id"]
    actions = ["acknowledge"]
    exclude = ["tried", "samples", "version"]
    readonly_fields = ["what_was_tried", "what_errors_said"]

    @admin.display(description="tried")
    def what_was_tried(self, alert: Alert) -> SafeString:
        return _shown(alert.tried)

    @admin.display(description="samples")
    def what_errors_said(self, alert: Alert) -> SafeString:
        return _shown(alert.samples)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Asked by the action: the rows themselves are nobody's to change."""
        return request.user.has_perm("status.change_alert")

    @admin.action(description="Acknowledge selected alerts", permissions=["operate"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """One by one: each is a transaction of its own."""
        done = 0
        for key in list(queryset.order_by("pk").values_list("pk", flat=True)):
            try:
                acknowledge(key, request.user)
            except RealtimeError as error:
                self.message_user(request, f"Alert {key}: {error.message}.", messages.WARNING)
            else:
                done += 1
        if done:
            self.message_user(request, f"{done} alerts acknowledged.", messages.SUCCESS)


def _shown(value: Any) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))
