"""Streams, events and what stands beside them: for reading only, clients hold their seqs."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from realtime.admin.readonly import ReadOnlyAdmin
from realtime.models import ClientRef, Event, IncidentReport, Installation, Stream


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin):
    list_display = ["name", "head", "floor", "epoch", "created_at"]
    search_fields = ["name"]
    list_filter = ["created_at"]
    ordering = ["name"]


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """Events of one stream: search for its name, e.g. `project.42`."""

    list_display = ["id", "stream", "seq", "type", "ts", "subject", "ends"]
    list_display_links = ["id", "seq"]
    list_select_related = ["stream"]
    list_filter = ["type", "ts"]
    search_fields = ["=stream__name", "=type", "=subject", "=uid"]
    ordering = ["-id"]
    fields = ["stream", "seq", "uid", "type", "ts", "subject", "ends", "blanks", "frame_as_json"]
    readonly_fields = ["frame_as_json"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Frames are up to 128 KiB, and a list shows none; the page of one event reads its own.
        return super().get_queryset(request).defer("frame")

    @admin.display(description="frame")
    def frame_as_json(self, event: Event) -> SafeString:
        content = json.loads(bytes(event.frame))
        return format_html("<pre>{}</pre>", json.dumps(content, indent=2, ensure_ascii=False))


@admin.register(ClientRef)
class ClientRefAdmin(ReadOnlyAdmin):
    list_display = ["ref", "user", "target", "seq", "created_at"]
    list_select_related = ["user"]
    list_filter = ["created_at"]
    search_fields = ["=ref", "user__username"]
    ordering = ["-id"]


@admin.register(Installation)
class InstallationAdmin(ReadOnlyAdmin):
    """The epoch is changed by `manage.py new_epoch`, never by hand."""

    list_display = ["epoch", "fingerprint"]


@admin.register(IncidentReport)
class IncidentReportAdmin(ReadOnlyAdmin):
    """What nodes miss at present; the history is in the events of the stream `status`."""

    list_display = ["part", "node", "code", "opened_at", "seen_at"]
    search_fields = ["=part", "=node"]
    list_filter = ["part"]
    ordering = ["-id"]
