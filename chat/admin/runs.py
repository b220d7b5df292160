"""Runs of the AI: how they went. They are stopped and run again by members, and their jobs by
operators."""

from django.contrib import admin

from chat.models import AiRun
from realtime.admin.readonly import ReadOnlyAdmin


@admin.register(AiRun)
class AiRunAdmin(ReadOnlyAdmin):
    list_display = [
        *("id", "project", "asked_by", "state", "generation", "model", "error"),
        *("queued_at", "ended_at", "output_tokens"),
    ]
    list_select_related = ["project", "asked_by"]
    list_filter = ["state", "error", "queued_at"]
    search_fields = ["project__name", "asked_by__username", "model"]
    raw_id_fields = ["question", "message"]
    ordering = ["-id"]
