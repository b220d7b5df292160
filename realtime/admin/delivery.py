"""What has arrived at whom, for reading only: clients say it, by acknowledging."""

from django.contrib import admin

from realtime.admin.readonly import ReadOnlyAdmin
from realtime.models import DeliveredRange


@admin.register(DeliveredRange)
class DeliveredRangeAdmin(ReadOnlyAdmin):
    list_display = ["id", "stream", "user", "lo", "hi"]
    list_select_related = ["stream", "user"]
    search_fields = ["=stream__name", "user__username"]
    ordering = ["-id"]
