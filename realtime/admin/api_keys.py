"""Keys for programs: made here, shown once, revoked here."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from realtime.admin.forms import PrintableForm
from realtime.models import ApiKey

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[ApiKey]
else:
    _ModelAdmin = admin.ModelAdmin  # not subscriptable at run time


@admin.register(ApiKey)
class ApiKeyAdmin(_ModelAdmin):
    form = PrintableForm
    list_display = ["name", "prefix", "user", "created_at", "expires_at", "revoked_at", "usable"]
    list_select_related = ["user"]
    list_filter = ["created_at", "expires_at", "revoked_at"]
    search_fields = ["name", "prefix", "user__username"]
    autocomplete_fields = ["user"]
    ordering = ["-id"]
    actions = ["revoke"]

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        asked = ["user", "name", "expires_at"]
        return asked if obj is None else [*asked, "prefix", "created_at", "revoked_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return [] if obj is None else ["user", "prefix", "created_at", "revoked_at"]

    @admin.display(boolean=True)
    def usable(self, key: ApiKey) -> bool:
        return key.valid

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """A new key is issued by the model, and its text is told here for the only time."""
        if change:
            super().save_model(request, obj, form, change)
            return
        key, text = ApiKey.issue(obj.user_id, obj.name)
        if obj.expires_at is not None:
            key.expires_at = obj.expires_at
            key.save(update_fields=["expires_at"])
        obj.pk = key.pk
        obj.refresh_from_db()
        messages.warning(request, f"The key, shown only now: {text}")

    @admin.action(description="Revoke selected API keys", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """One by one: each ending is an event that closes the key's sockets."""
        revoked = 0
        for key in queryset.filter(revoked_at=None).order_by("pk"):
            key.revoked_at = timezone.now()
            key.save(update_fields=["revoked_at"])
            revoked += 1
        self.message_user(request, f"{revoked} API keys revoked.", messages.SUCCESS)
