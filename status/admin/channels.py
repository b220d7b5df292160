"""Channels: whom alerts are told by mail or webhook."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.http import HttpRequest

from realtime.admin.forms import PrintableForm
from status.channels.addresses import target_of
from status.channels.notice import Notice
from status.jobs import notify
from status.models import ChannelKind, NotificationChannel

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[NotificationChannel]
else:
    _ModelAdmin = admin.ModelAdmin  # not subscriptable at run time

MIN_SECRET_CHARS = 16
_TRY = Notice(
    id=0,
    alert="try",
    state="opened",
    severity="info",
    component="status",
    subject="",
    text="This is a try: nothing is wrong",
    value=None,
    threshold=0.0,
)


class ChannelForm(PrintableForm):
    """The secret is written and never shown again; left empty, it stays as it is."""

    secret = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=f"signs what a webhook gets; at least {MIN_SECRET_CHARS} characters",
    )

    class Meta:
        model = NotificationChannel
        fields = ["name", "kind", "address", "secret", "at_least", "enabled"]

    def clean_secret(self) -> str:
        given: str = self.cleaned_data["secret"]
        return given or self.instance.secret

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        given = self.cleaned_data
        address = given.get("address", "")
        if given.get("kind") == ChannelKind.EMAIL:
            try:
                validate_email(address)
            except ValidationError:
                self.add_error("address", f"expected an e-mail address, got {address[:60]!r}")
        elif given.get("kind") == ChannelKind.WEBHOOK:
            try:
                target_of(address)
            except ValueError as error:
                self.add_error("address", str(error))
            if len(given.get("secret", "")) < MIN_SECRET_CHARS:
                self.add_error("secret", f"expected at least {MIN_SECRET_CHARS} characters")
        return cleaned


@admin.register(NotificationChannel)
class NotificationChannelAdmin(_ModelAdmin):
    form = ChannelForm
    list_display = ["name", "kind", "address", "at_least", "enabled"]
    list_filter = ["kind", "enabled"]
    ordering = ["name"]
    actions = ["send_a_try"]

    @admin.action(description="Send a try to selected channels", permissions=["change"])
    def send_a_try(self, request: HttpRequest, queryset: QuerySet[NotificationChannel]) -> None:
        """By a job, as an alert is told: what came of it stands among the jobs."""
        keys = list(queryset.filter(enabled=True).values_list("pk", flat=True))
        for key in keys:
            notify.enqueue(channel=key, notice=_TRY.data)
        self.message_user(request, f"{len(keys)} tries are on their way.", messages.SUCCESS)
