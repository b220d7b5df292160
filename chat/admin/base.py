"""What the admin classes of chat have in common."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from realtime.admin.forms import PrintableForm

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin  # not subscriptable at run time


class LoggedAdmin(_ModelAdmin):
    """Rows whose changes are events: texts are checked, and what ties a row to its project stays.

    `fixed_fields` can be chosen for a new row only: a row that moved to another project would
    be missing there and left behind here, for every client.
    """

    form = PrintableForm
    fixed_fields: tuple[str, ...] = ()
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        always = super().get_readonly_fields(request, obj)
        return always if obj is None else (*always, *self.fixed_fields)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """A row that was saved as it was is no news to anyone."""
        if not change or form.has_changed():
            super().save_model(request, obj, form, change)

    def deleted_as_one(
        self, objs: Any, request: HttpRequest, **with_them: int
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """For `get_deleted_objects`: the rows themselves, and only numbers of what goes with them.

        Django would list every row below, with a query for many of them.
        """
        rows = [str(row) for row in objs]
        needed = set() if self.has_delete_permission(request) else {str(self.opts.verbose_name)}
        return rows, {str(self.opts.verbose_name_plural): len(rows), **with_them}, needed, []
