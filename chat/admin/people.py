"""Accounts. Changing the password or deactivating one ends its sign-ins, in the model's `save`."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest

from chat.models import ReadCursor, User
from realtime.fleet.operations import close_user
from realtime.log.locks import lock_streams
from realtime.models import ClientRef
from realtime.protocol.streams import STATUS_STREAM

if TYPE_CHECKING:
    _UserAdmin = UserAdmin[User]
else:
    _UserAdmin = UserAdmin  # not subscriptable at run time

# Nobody deletes these by hand, but they go with their person.
_GO_ALONG = {str(model._meta.verbose_name) for model in (ReadCursor, ClientRef)}  # noqa: SLF001


@admin.register(User)
class PersonAdmin(_UserAdmin):
    list_display = ["username", "email", "first_name", "last_name", "is_staff", "is_active"]
    show_full_result_count = False
    actions = ["disconnect"]

    @admin.action(description="Disconnect selected users", permissions=["change"])
    def disconnect(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Through the log, one by one; they may sign in again."""
        for user_id in (ids := list(queryset.order_by("pk").values_list("pk", flat=True))):
            close_user(user_id)
        self.message_user(request, f"{len(ids)} users disconnected.", messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Groups and permissions are saved after the account and may end its right to `status`:
        both streams are locked now, in their order."""
        lock_streams(STATUS_STREAM, *obj.stream_names())
        super().save_model(request, obj, form, change)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        rows, counts, needed, protected = super().get_deleted_objects(objs, request)
        return rows, counts, needed - _GO_ALONG, protected
