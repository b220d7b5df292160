"""Chat sessions, messages and how far they were read."""

from typing import Any

from django.contrib import admin
from django.core.validators import MaxLengthValidator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import Truncator

from chat.admin.base import LoggedAdmin
from chat.models import ChatSession, Message, ProjectContext, ReadCursor, ReadNotice
from realtime.admin.forms import PrintableForm
from realtime.admin.readonly import ReadOnlyAdmin
from realtime.protocol.payloads.shape import MESSAGE_BODY_MAX_CHARS


@admin.register(ChatSession)
class ChatSessionAdmin(LoggedAdmin):
    list_display = ["id", "title", "project", "created_at", "closed_at"]
    list_display_links = ["id", "title"]
    list_select_related = ["project"]
    list_filter = ["created_at", "closed_at"]
    search_fields = ["title", "project__name"]
    readonly_fields = ["created_at"]
    autocomplete_fields = ["project"]
    fixed_fields = ("project",)
    ordering = ["-id"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # The catalogue has no event for it; a session is closed instead.
        return False


class _MessageForm(PrintableForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        body = self.fields.get("body")
        if body is not None:
            body.required = True
            body.validators.append(MaxLengthValidator(MESSAGE_BODY_MAX_CHARS))
            body.disabled = self.instance.deleted_at is not None


_FIXED = [
    *("project", "session", "kind", "author", "reply_to", "client_ref"),
    *("created_at", "edited_at", "deleted_at"),
]


@admin.register(Message)
class MessageAdmin(LoggedAdmin):
    """Texts can be edited and taken away; messages are written by people, in their own name."""

    form = _MessageForm
    list_display = ["id", "project", "author", "kind", "start", "created_at", "deleted_at"]
    list_select_related = ["project", "author"]
    list_filter = ["kind", "created_at", "deleted_at"]
    search_fields = ["body", "author__username", "project__name"]
    fields = ["body", *_FIXED]
    readonly_fields = _FIXED
    ordering = ["-id"]

    @admin.display(description="body")
    def start(self, message: Message) -> str:
        return Truncator(message.body).chars(60)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("session", "project", "author")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if "body" in form.changed_data:
            obj.edited_at = timezone.now()
        super().save_model(request, obj, form, change)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """Deleting takes the text and leaves the row, so replies are no obstacle."""
        return self.deleted_as_one(objs, request)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_queryset(request, Message.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """As when a person deletes: the row keeps its place for replies and loses its text.

        `update` of these rows locks their streams and announces each of them.
        """
        present = queryset.filter(deleted_at=None).select_related(None)
        present.update(body="", deleted_at=timezone.now())


@admin.register(ReadCursor)
class ReadCursorAdmin(ReadOnlyAdmin):
    list_display = ["id", "user", "project", "seq", "wanted", "moved_at"]
    list_select_related = ["user", "project"]
    list_filter = ["moved_at"]
    search_fields = ["user__username", "project__name"]
    ordering = ["-id"]


@admin.register(ReadNotice)
class ReadNoticeAdmin(ReadOnlyAdmin):
    list_display = ["project", "told_at"]
    list_select_related = ["project"]
    search_fields = ["project__name"]
    ordering = ["-told_at"]


@admin.register(ProjectContext)
class ProjectContextAdmin(ReadOnlyAdmin):
    list_display = ["project", "analysed_to", "summary"]
    list_select_related = ["project"]
    search_fields = ["project__name", "summary"]
    ordering = ["-project"]
