"""From the Authorization header to a user, for Django REST framework.

`request.auth` is the `Identity`; with the session cookie (as DRF's own SessionAuthentication, which
checks the CSRF token) it is None.
"""

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from realtime.bans.refusing import Banned, ban_of
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
        except Banned:
            raise  # 403: another credential of the account would not help
        except Unauthorized as error:
            raise AuthenticationFailed(error.message) from error
        return identity.user, identity

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class CookieAuthentication(SessionAuthentication):
    """The session cookie, with its CSRF token; who is banned is told so."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Raises Banned, PermissionDenied without the token."""
        found = super().authenticate(request)
        session = getattr(request, "session", None)
        if found is None and session is not None and (user_id := session.get(SESSION_KEY)):
            ban = ban_of(user_id)  # Django itself shows a deactivated person as nobody
            if ban is not None:
                raise Banned(ban)
        return found


class ApiKeyAuthentication(_HeaderAuthentication):
    """`Authorization: Api-Key <key>`."""

    scheme = "api-key"


class SessionTokenAuthentication(_HeaderAuthentication):
    """`Authorization: Bearer <session token>`, the token of `POST /api/sessions/`."""

    scheme = "bearer"
