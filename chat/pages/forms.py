"""The form that people sign in by."""

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from realtime.bans.refusing import banned_with_password


class SignInForm(AuthenticationForm):
    """Django's, which also tells who knows the password of a banned account why it does not do."""

    def get_invalid_login_error(self) -> ValidationError:
        given: dict[str, Any] = self.cleaned_data
        banned = banned_with_password(given.get("username", ""), given.get("password", ""))
        if banned is None:
            return super().get_invalid_login_error()
        return ValidationError(f"This account is {banned.lasting}.", code="banned")
