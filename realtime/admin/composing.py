"""The form that operators compose a broadcast in: from its fields to a draft, and errors back."""

import uuid
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.admin.widgets import (
    AdminSplitDateTime,
    AdminTextareaWidget,
    AdminTextInputWidget,
)
from django.contrib.auth import get_user_model

from realtime.api.inputs import InputError, validated_input
from realtime.broadcasts.drafts import BODY_MAX_CHARS, BroadcastDraft
from realtime.models.broadcast import (
    BroadcastKind,
    BroadcastLevel,
    BroadcastPriority,
    BroadcastScope,
)
from realtime.protocol.errors import BadRequest, NotFound, RealtimeError
from realtime.protocol.streams import SYSTEM_STREAM, StreamName, project_stream, user_stream

_FIELD_OF = {"stream": "target", "project": "target", "user": "target"}  # as actions name it
_TIMES = ("publish_at", "expires_at", "starts_at", "ends_at")


def _moment(label: str, text: str) -> forms.SplitDateTimeField:
    return forms.SplitDateTimeField(
        label=label, help_text=text, required=False, widget=AdminSplitDateTime
    )


class ComposeForm(forms.Form):
    """What is wrong with a field is said by the draft itself, in the words of the API."""

    scope = forms.ChoiceField(
        label="To", choices=[("system", "Everyone"), ("project", "A project"), ("user", "A person")]
    )
    target = forms.CharField(
        label="Which one",
        required=False,
        max_length=150,
        widget=AdminTextInputWidget,
        help_text="The project's id, or the person's user name or id. Empty for everyone.",
    )
    kind = forms.ChoiceField(choices=BroadcastKind.choices)
    title = forms.CharField(required=False, widget=AdminTextInputWidget)
    body = forms.CharField(
        required=False,
        strip=False,
        widget=AdminTextareaWidget(attrs={"maxlength": BODY_MAX_CHARS}),
        help_text="Markdown; HTML in it is shown as text.",
    )
    level = forms.ChoiceField(choices=BroadcastLevel.choices)
    priority = forms.ChoiceField(
        choices=BroadcastPriority.choices, initial=BroadcastPriority.NORMAL
    )
    must_acknowledge = forms.BooleanField(
        required=False, help_text="Ask people to say that they have read it."
    )
    publish_at = _moment("Publish at", "Empty: now.")
    expires_at = _moment("Expires at", "Whoever comes later does not get it any more.")
    on = forms.BooleanField(
        label="Maintenance is on", required=False, initial=True, help_text="Off: it is over."
    )
    starts_at = _moment("Starts at", "")
    ends_at = _moment("Ends at", "")
    confirm = forms.BooleanField(
        label="Yes, to everyone", required=False, help_text="Needed where everyone is spoken to."
    )
    client_ref = forms.CharField(widget=forms.HiddenInput, max_length=60, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # One per form: a button that is pressed twice makes one broadcast.
        self.fields["client_ref"].initial = uuid.uuid4().hex

    def stream(self) -> str:
        """Where it is to stand. Raises BadRequest, NotFound; both name the field."""
        scope = BroadcastScope(self.cleaned_data["scope"])
        given = self.cleaned_data.get("target", "").strip()
        if scope is BroadcastScope.SYSTEM:
            if given:
                raise BadRequest("target: expected nothing where everyone is meant, got a name")
            return SYSTEM_STREAM
        if scope is BroadcastScope.USER:
            return user_stream(_person(given))
        if not given.isdecimal():
            raise BadRequest(f"target: expected a project's id, got {given[:40]!r}")
        return str(StreamName.parse(project_stream(int(given))))

    def draft(self, *, to_self: bool = False) -> BroadcastDraft:
        """As it is, or as a trial that is sent at once. Raises InputError."""
        given = {name: value for name, value in self.cleaned_data.items() if value is not None}
        times = {name: _written(given.pop(name)) for name in _TIMES if name in given}
        given["body"] = given.get("body", "").replace("\r\n", "\n")
        reference = given.get("client_ref") or uuid.uuid4().hex
        if to_self:
            times = {name: at for name, at in times.items() if name in {"starts_at", "ends_at"}}
            # Of its own for every trial: the text may be mended between two of them.
            reference = uuid.uuid4().hex
        return validated_input(BroadcastDraft, {**given, **times, "client_ref": reference})

    def take(self, error: RealtimeError | InputError) -> None:
        """Put what was refused beside its field."""
        if isinstance(error, InputError):
            for name, texts in error.errors.items():
                for text in texts:
                    self._say(name, text)
            return
        name, colon, text = error.message.partition(": ")
        if colon:
            self._say(_FIELD_OF.get(name, name), text)
        else:
            self._say("", error.message)

    def _say(self, name: str, text: str) -> None:
        if name in self.fields and name != "client_ref":
            self.add_error(name, text)
        else:
            self.add_error(None, f"{name}: {text}" if name else text)


def _written(moment: datetime) -> str:
    return moment.isoformat()


def _person(given: str) -> int:
    """Raises NotFound."""
    model: Any = get_user_model()
    found = model._default_manager.filter(**{model.USERNAME_FIELD: given})  # noqa: SLF001
    for key in found.values_list("pk", flat=True):
        return int(key)
    if given.isascii() and given.isdecimal() and 0 < len(given) < len(str(2**60)):
        return int(given)
    raise NotFound(f"target: expected a person's user name or id, got {given[:40]!r}")
