"""Forms of the admin."""

from typing import TYPE_CHECKING, Any

from django import forms

from realtime.protocol.payloads.shape import printable

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Any]
else:
    _ModelForm = forms.ModelForm  # not subscriptable at run time


class PrintableForm(_ModelForm):
    """Refuses control characters where the API does: an event could not carry them.

    Browsers send CRLF for the line feeds of a text; that alone is no change, and is not stored.
    """

    def clean(self) -> dict[str, Any] | None:
        cleaned: dict[str, Any] | None = super().clean()
        for name, value in list(self.cleaned_data.items()):
            if not isinstance(value, str):
                continue
            try:
                self.cleaned_data[name] = printable(value.replace("\r\n", "\n"))
            except ValueError as error:
                self.add_error(name, str(error))
        return cleaned

    @property
    def changed_data(self) -> list[str]:
        cleaned = getattr(self, "cleaned_data", {})
        return [
            name
            for name in super().changed_data
            if not isinstance(cleaned.get(name), str) or cleaned[name] != self.initial.get(name)
        ]
