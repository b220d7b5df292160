"""Projects and who is in them."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from chat.admin.base import LoggedAdmin
from chat.models import Membership, Memory, Message, Project
from realtime.admin.forms import PrintableForm
from realtime.log.locks import lock_streams
from realtime.protocol.streams import user_stream

if TYPE_CHECKING:
    _TabularInline = admin.TabularInline[Membership, Project]
else:
    _TabularInline = admin.TabularInline  # not subscriptable at run time


class _MemberForm(PrintableForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            # Another person in the same row would leave without an event.
            self.fields["user"].disabled = True


class _MembersInline(_TabularInline):
    model = Membership
    form = _MemberForm
    autocomplete_fields = ["user"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("user", "project")


@admin.register(Project)
class ProjectAdmin(LoggedAdmin):
    list_display = ["id", "name", "created_by", "created_at"]
    list_display_links = ["id", "name"]
    list_select_related = ["created_by"]
    list_filter = ["created_at"]
    search_fields = ["name", "description", "created_by__username"]
    fields = ["name", "description", "created_by", "created_at"]
    readonly_fields = ["created_at"]
    autocomplete_fields = ["created_by"]
    fixed_fields = ("created_by",)
    ordering = ["-id"]

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        # A new project gets its creator as owner by itself; others are added to it afterwards.
        return [_MembersInline] if obj is not None else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Nothing yet: `save_related` saves the project too, once it knows all streams."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Lock the streams of everyone concerned, in one sorted call, before any row is written."""
        people = [
            row.instance.user_id
            for formset in formsets
            for row in formset.forms
            if row.has_changed()
        ]
        if change or people:
            lock_streams(*form.instance.stream_names(), *map(user_stream, people))
        if not change or form.has_changed():
            form.instance.save()
        super().save_related(request, form, formsets, change)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        keys = [row.pk for row in objs]
        return self.deleted_as_one(
            objs,
            request,
            messages=Message.objects.filter(project_id__in=keys).count(),
            memories=Memory.objects.filter(project_id__in=keys).count(),
        )


@admin.register(Membership)
class MembershipAdmin(LoggedAdmin):
    list_display = ["id", "user", "project", "role", "joined_at"]
    list_display_links = ["id", "user"]
    list_select_related = ["user", "project"]
    list_filter = ["role", "joined_at"]
    search_fields = ["user__username", "project__name"]
    readonly_fields = ["joined_at"]
    autocomplete_fields = ["user", "project"]
    fixed_fields = ("user", "project")
    ordering = ["-id"]
