"""Broadcasts in the admin: composed with a preview, watched while they go out, listed, exported."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from realtime.admin.composing import ComposeForm
from realtime.admin.export import ExportedAdmin
from realtime.admin.progress import progress_of
from realtime.admin.readonly import ReadOnlyAdmin
from realtime.api.inputs import InputError
from realtime.broadcasts.composing import create_broadcast, recipients_of
from realtime.broadcasts.ending import cancel_broadcast
from realtime.broadcasts.permissions import is_operator, require_right, visible, visible_broadcast
from realtime.broadcasts.rendering import rendered
from realtime.models import (
    Broadcast,
    BroadcastAcknowledgement,
    BroadcastAudience,
    BroadcastDay,
)
from realtime.models.broadcast import OPEN
from realtime.protocol.errors import NotFound, RealtimeError
from realtime.protocol.streams import StreamName, user_stream

if TYPE_CHECKING:
    from django.forms import Form

_FIELDSETS: list[Any] = [
    (None, {"fields": [("scope", "target"), "kind", "title", "body"]}),
    ("How", {"fields": [("level", "priority"), "must_acknowledge", "publish_at", "expires_at"]}),
    (
        "Maintenance",
        {
            "fields": ["on", "starts_at", "ends_at"],
            "description": "Of the kind maintenance only.",
            "classes": ["collapse"],
        },
    ),
    (None, {"fields": ["confirm", "client_ref"]}),
]


@admin.register(Broadcast)
class BroadcastAdmin(ExportedAdmin):
    """Adding is composing, and changing is watching and withdrawing; both by the actions that the
    API calls, which check the rights for the stream itself."""

    list_display = [
        *("id", "title", "stream", "kind", "priority", "status", "reached", "author", "created_at"),
    ]
    list_display_links = ["id", "title"]
    list_filter = ["status", "scope", "kind", "level", "priority", "created_at"]
    search_fields = ["title", "body", "=stream__name", "author__username"]
    date_hierarchy = "created_at"
    ordering = ["-id"]
    actions = ["withdraw"]
    export_columns = [
        *("pk", "scope", "stream.name", "kind", "title", "body", "level", "priority"),
        *("status", "author.username", "addressed", "delivered", "acknowledged", "late"),
        *("created_at", "publish_at", "published_at", "expires_at", "ended_at"),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return visible(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_operator(request.user) or super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return is_operator(user) or user.has_perm("realtime.add_broadcast")

    @admin.display(description="delivered", ordering="delivered")
    def reached(self, row: Broadcast) -> str:
        return f"{row.delivered} of {row.addressed}"

    def has_withdraw_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    @admin.action(description="Withdraw selected broadcasts", permissions=["withdraw"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Broadcast]) -> None:
        """One by one: each is a transaction of its own."""
        keys = list(queryset.filter(status__in=OPEN).order_by("pk").values_list("pk", flat=True))
        done = 0
        for key in keys:
            try:
                cancel_broadcast(request.user, key)
                done += 1
            except RealtimeError as error:
                text = f"Broadcast {key} is not withdrawn: {error.message}."
                self.message_user(request, text, messages.ERROR)
        self.message_user(request, f"{done} broadcasts withdrawn.", messages.SUCCESS)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.preview)
        return [path("preview/", view, name="realtime_broadcast_preview"), *super().get_urls()]

    # Composing

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """GET: the form; POST: sent, kept for its time, or first sent to oneself (`_self`)."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._form(request, ComposeForm(initial=request.GET.dict()))
        form = ComposeForm(request.POST)
        if not form.is_valid():
            return self._form(request, form)
        try:
            if "_self" in request.POST:
                create_broadcast(
                    request.user, user_stream(request.user.pk or 0), form.draft(to_self=True)
                )
                self.message_user(request, "Sent to you alone.", messages.SUCCESS)
                return self._form(request, form)
            row = create_broadcast(request.user, form.stream(), form.draft()).row
        except (RealtimeError, InputError) as error:
            form.take(error)
            return self._form(request, form)
        self.message_user(request, f"Broadcast {row.pk} is {row.status}.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:realtime_broadcast_change", args=[row.pk]))

    def _form(self, request: HttpRequest, form: ComposeForm) -> HttpResponse:
        context = {
            **self._context(request),
            **self._previewed(request, form),
            "title": "Compose a broadcast",
            "add": True,
            "adminform": AdminForm(form, _FIELDSETS, {}, (), model_admin=self),  # type: ignore[arg-type]
            "errors": form.errors,
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/realtime/compose.html", context)

    def preview(self, request: HttpRequest) -> HttpResponse:
        """What the form would make, as it stands: asked for while somebody writes."""
        if not self.has_add_permission(request) or request.method != "POST":
            raise PermissionDenied
        form = ComposeForm(request.POST)
        form.is_valid()  # what is missing yet is said when it is sent
        context = self._previewed(request, form)
        return TemplateResponse(request, "admin/realtime/preview.html", context)

    def _previewed(self, request: HttpRequest, form: "Form") -> dict[str, Any]:
        found: dict[str, Any] = getattr(form, "cleaned_data", {})
        body = found.get("body", "")[: ComposeForm.base_fields["body"].widget.attrs["maxlength"]]
        preview: dict[str, Any] = {
            "preview_title": found.get("title", ""),
            "preview_html": rendered(body),
            "preview_level": found.get("level", "info"),
        }
        if isinstance(form, ComposeForm) and "scope" in found:
            preview |= self._reached(request, form)
        return preview

    def _reached(self, request: HttpRequest, form: ComposeForm) -> dict[str, Any]:
        """How many people it would go to; why none, where it would not."""
        try:
            stream = form.stream()
            name = StreamName.parse(stream)
            require_right(request.user, name, form.cleaned_data.get("kind", ""))
            return {"preview_stream": stream, "recipients": recipients_of(name)}
        except RealtimeError as error:
            return {"unreachable": error.message.removeprefix("target: ")}

    # Watching

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """GET: the broadcast and how it goes, or with `part=progress` what of it moves; POST:
        withdraw it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            row = visible_broadcast(request.user, int(object_id))
        except (NotFound, ValueError, OverflowError):
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined, no-any-return]
        if request.method == "POST":
            return self._withdraw(request, row)
        context = {
            **self._context(request),
            "title": row.title,
            "original": row,
            "row": row,
            "progress": progress_of(row, request.GET.get("people", "")),
            "open": row.status in OPEN,
        }
        part = request.GET.get("part") == "progress"
        name = "broadcast_progress.html" if part else "broadcast.html"
        return TemplateResponse(request, f"admin/realtime/{name}", context)

    def _withdraw(self, request: HttpRequest, row: Broadcast) -> HttpResponse:
        try:
            ended = cancel_broadcast(request.user, row.pk)
        except RealtimeError as error:
            self.message_user(request, f"Not done: {error.message}.", messages.ERROR)
        else:
            text = f"Broadcast {row.pk} is {ended.status}."
            self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(request.path)

    def _context(self, request: HttpRequest) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "has_view_permission": self.has_view_permission(request),
            "has_add_permission": self.has_add_permission(request),
        }


@admin.register(BroadcastAcknowledgement)
class BroadcastAcknowledgementAdmin(ReadOnlyAdmin):
    list_display = ["id", "broadcast", "user", "at"]
    list_select_related = ["broadcast", "user"]
    search_fields = ["=broadcast__id", "user__username"]
    list_filter = ["at"]
    ordering = ["-id"]


@admin.register(BroadcastAudience)
class BroadcastAudienceAdmin(ReadOnlyAdmin):
    """Packed; the page of a broadcast shows its people."""

    list_display = ["broadcast"]
    list_select_related = ["broadcast"]
    search_fields = ["=broadcast__id"]
    ordering = ["-broadcast"]
    fields = ["broadcast"]


@admin.register(BroadcastDay)
class BroadcastDayAdmin(ReadOnlyAdmin):
    """What is kept of those that were cleaned away."""

    list_display = [
        *("day", "scope", "status", "number", "addressed", "delivered", "acknowledged", "late"),
    ]
    list_filter = ["scope", "status", "day"]
    search_fields = ["scope", "status"]
    ordering = ["-day"]
