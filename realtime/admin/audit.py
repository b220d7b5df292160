"""The audit log, for reading, searching and taking along."""

import json

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timezone import localtime

from realtime.admin.export import ExportedAdmin
from realtime.admin.readonly import ReadOnlyAdmin
from realtime.models import AuditChain, AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ExportedAdmin):
    """Search for a person's name, a target such as `project.42`, or an address."""

    list_display = ["seq", "moment", "action", "result", "person", "what", "address"]
    list_display_links = ["seq", "action"]
    list_filter = ["action", "result", "at"]
    search_fields = ["=actor_name", "target", "=address", "=action"]
    search_help_text = "A person, a target such as project.42, an address, or an action."
    date_hierarchy = "at"
    ordering = ["-seq"]
    export_columns = [
        *("seq", "at", "action", "actor", "actor_name", "target", "result", "address", "details"),
        *("previous", "hash"),
    ]
    fields = [
        *("seq", "moment", "action", "person", "target", "result", "address", "details_as_json"),
        *("previous", "hash"),
    ]
    readonly_fields = ["moment", "person", "details_as_json"]

    @admin.display(description="who", ordering="actor_name")
    def person(self, entry: AuditEntry) -> str:
        if entry.actor is None:
            return "—"
        return f"{entry.actor_name} ({entry.actor})"

    @admin.display(description="at", ordering="at")
    def moment(self, entry: AuditEntry) -> str:
        return f"{localtime(entry.at):%Y-%m-%d %H:%M:%S}"

    @admin.display(description="target", ordering="target")
    def what(self, entry: AuditEntry) -> str:
        return Truncator(entry.target).chars(28)

    @admin.display(description="details")
    def details_as_json(self, entry: AuditEntry) -> SafeString:
        content = json.loads(entry.details)
        return format_html("<pre>{}</pre>", json.dumps(content, indent=2, ensure_ascii=False))


@admin.register(AuditChain)
class AuditChainAdmin(ReadOnlyAdmin):
    """Where the chain ends, and from where it can be checked: `manage.py verify_audit`."""

    list_display = ["seq", "hash", "anchor_seq", "anchor_hash"]
    search_fields = ["=hash", "=anchor_hash"]
