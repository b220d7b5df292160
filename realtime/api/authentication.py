"""From the Authorization header to a user, for Django REST framework.

`request.auth` is the `Identity`; with the session cookie (DRF's own SessionAuthentication, which
checks the CSRF token) it is None.
"""

from typing import Any

from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from realtime.protocol.errors import Unauthorized
from realtime.security.identity import Identity, identity_of_header

# RFC 9110, section 11.6.1: a 401 names every scheme that would be understood.
CHALLENGE = 'Api-Key realm="api", Bearer realm="api"'


class _HeaderAuthentication(BaseAuthentication):
    """One scheme of the header; another scheme is left to the other classes."""

    scheme: str

    @method_decorator(sensitive_variables("header"))
    def authenticate(self, request: Request) -> tuple[Any, Identity] | None:
        """Raises AuthenticationFailed for a credential of this scheme that is not valid."""
        header = request.headers.get("Authorization", "")
        if header.strip().partition(" ")[0].lower() != self.scheme:
            return None
        try:
            identity = identity_of_header(header)
        except Unauthorized as error:
            raise AuthenticationFailed(error.message) from error
        return identity.user, identity

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class ApiKeyAuthentication(_HeaderAuthentication):
    """`Authorization: Api-Key <key>`."""

    scheme = "api-key"


class SessionTokenAuthentication(_HeaderAuthentication):
    """`Authorization: Bearer <session token>`, the token of `POST /api/sessions/`."""

    scheme = "bearer"
