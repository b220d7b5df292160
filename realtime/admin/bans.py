"""Bans: of a person or of a network of addresses, for a time or for good; lifted, never deleted."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from realtime.admin.export import ExportedAdmin
from realtime.admin.forms import PrintableForm
from realtime.bans.imposing import RIGHT, RIGHT_TO_END, ban_network, ban_person, lift_ban
from realtime.models import Ban
from realtime.protocol.errors import RealtimeError

if TYPE_CHECKING:
    from django import forms

_ADDED = ["user", "network", "reason", "until"]


class BanForm(PrintableForm):
    """The ban is imposed as the last step of the validation, so that what refuses it stands beside
    its field; the admin's view holds the transaction of both."""

    request: HttpRequest  # set on a class of its own for each request

    class Meta:
        model = Ban
        fields = _ADDED
        help_texts = {
            "user": "Every sign-in, key and token of theirs is refused from now on.",
            "network": "Instead of a person: an address or a network, such as 192.0.2.0/24.",
            "reason": "For operators and the audit log; the person is not told.",
            "until": "Empty: for good.",
        }

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        user, network = given.get("user"), given.get("network") or ""
        if (user is None) == (network == ""):
            raise ValidationError("Expected either a person or a network.")
        if not self.errors:
            self._impose(user, network, given["reason"], given["until"])
        return given

    def _impose(self, user: Any, network: str, reason: str, until: Any) -> None:
        actor = self.request.user
        try:
            if user is not None:
                self.made = ban_person(actor, user.pk, reason=reason, until=until)
            else:
                own = self.request.META.get("REMOTE_ADDR")
                self.made = ban_network(actor, network, reason=reason, until=until, own_address=own)
        except RealtimeError as error:
            name, colon, text = error.message.partition(": ")
            known = colon and name in self.fields
            self.add_error(name if known else None, text if known else error.message)

    def _post_clean(self) -> None:
        """The row is there already."""


class InForce(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("in_force", "In force"), ("ended", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        ended = Q(ended_at__isnull=False) | Q(until__lte=timezone.now())
        chosen = {"in_force": ~ended, "ended": ended}.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(chosen)


@admin.register(Ban)
class BanAdmin(ExportedAdmin):
    """A person is shut out with every credential; of a network every socket and request."""

    form = BanForm
    list_display = ["id", "whom", "in_force", "until", "reason", "made_by", "made_at"]
    list_display_links = ["id", "whom"]
    list_select_related = ["user", "made_by"]
    list_filter = [InForce, "made_at"]
    search_fields = ["=user__username", "network", "reason", "=made_by__username"]
    search_help_text = "A person's user name, an address, or words of the reason."
    date_hierarchy = "made_at"
    ordering = ["-id"]
    autocomplete_fields = ["user"]
    actions = ["lift"]
    export_columns = [
        *("pk", "target", "user.username", "network", "reason", "until", "made_by.username"),
        *("made_at", "ended_at"),
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(RIGHT))

    def has_lift_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(RIGHT_TO_END))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user", "made_by")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return _ADDED if obj is None else [*_ADDED, "made_by", "made_at", "ended_at", "in_force"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj is None else self.get_fields(request, obj)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        made: type[forms.ModelForm[Any]] = super().get_form(request, obj, change, **kwargs)
        if obj is not None:
            return made
        person: Any = made.base_fields["user"].widget
        person.can_add_related = person.can_change_related = person.can_view_related = False
        return type(made.__name__, (made,), {"request": request})

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        """What the validation has made."""
        return form.made

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Nothing is left to do."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """A ban has none."""

    @admin.display(description="whom", ordering="network")
    def whom(self, ban: Ban) -> str:
        return str(ban.network) if ban.user is None else str(ban.user.get_username())

    @admin.display(boolean=True, description="in force")
    def in_force(self, ban: Ban) -> bool:
        return ban.ended_at is None and (ban.until is None or ban.until > timezone.now())

    @admin.action(description="Lift selected bans", permissions=["lift"])
    def lift(self, request: HttpRequest, queryset: QuerySet[Ban]) -> None:
        """One by one: each is a transaction of its own."""
        keys = list(queryset.filter(ended_at=None).order_by("pk").values_list("pk", flat=True))
        for key in keys:
            lift_ban(request.user, key)
        self.message_user(request, f"{len(keys)} bans lifted.", messages.SUCCESS)
