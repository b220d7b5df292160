"""What projects remember, and what rests on what."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from chat.admin.base import LoggedAdmin
from chat.models import Memory, MemoryDependency, MemoryStatus, ProposalRuling
from realtime.admin.forms import PrintableForm
from realtime.admin.readonly import ReadOnlyAdmin

if TYPE_CHECKING:
    _TabularInline = admin.TabularInline[MemoryDependency, Memory]
else:
    _TabularInline = admin.TabularInline  # not subscriptable at run time


class _DependencyForm(PrintableForm):
    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        memory, other = self.cleaned_data.get("memory"), self.cleaned_data.get("depends_on")
        if memory and other and memory.project_id != other.project_id:
            self.add_error("depends_on", "expected a memory of the same project, got another's")
        if other and other.status == MemoryStatus.PROPOSED:
            self.add_error("depends_on", "expected a memory that is kept, got a proposal")
        return cleaned


class _DependenciesInline(_TabularInline):
    model = MemoryDependency
    form = _DependencyForm
    fk_name = "memory"
    autocomplete_fields = ["depends_on"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("memory", "depends_on")


@admin.register(Memory)
class MemoryAdmin(LoggedAdmin):
    list_display = [
        "id",
        "title",
        "kind",
        "status",
        "project",
        "importance",
        "relevance",
        "pinned",
        "updated_at",
    ]
    list_display_links = ["id", "title"]
    list_select_related = ["project"]
    list_filter = ["kind", "status", "relevance", "pinned", "expires_at", "updated_at"]
    search_fields = ["title", "body", "reference", "project__name"]
    readonly_fields = [
        "status",
        "source_message",
        "relevance",
        "uses",
        "used_at",
        "created_at",
        "updated_at",
    ]
    autocomplete_fields = ["project"]
    fixed_fields = ("project",)
    inlines = [_DependenciesInline]
    ordering = ["-id"]


@admin.register(MemoryDependency)
class MemoryDependencyAdmin(LoggedAdmin):
    form = _DependencyForm
    list_display = ["id", "memory", "depends_on"]
    list_select_related = ["memory", "depends_on"]
    list_filter = ["memory__kind"]
    search_fields = ["memory__title", "depends_on__title"]
    autocomplete_fields = ["memory", "depends_on"]
    fixed_fields = ("memory", "depends_on")
    ordering = ["-id"]


@admin.register(ProposalRuling)
class ProposalRulingAdmin(ReadOnlyAdmin):
    list_display = ["memory", "project", "user", "accepted", "at"]
    list_select_related = ["project", "user"]
    list_filter = ["accepted", "at"]
    search_fields = ["project__name", "user__username"]
    ordering = ["-memory"]
