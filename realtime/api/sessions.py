"""Signing in and out by the API, and who one is."""

from collections.abc import Sequence
from typing import Annotated, Any

from django.contrib.auth import authenticate, logout
from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from pydantic import AfterValidator, BaseModel, StringConstraints
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from realtime.api.inputs import Input, received
from realtime.api.views import ApiView
from realtime.bans.refusing import banned_with_password
from realtime.people import person
from realtime.protocol.errors import BadRequest, Unauthorized
from realtime.protocol.payloads.shape import Moment, Person, printable, wire_time
from realtime.security.identity import Identity, session_store, sign_in

SESSION_AGE_S = 12 * 3600

_Credential = Annotated[
    str, StringConstraints(min_length=1, max_length=256), AfterValidator(printable)
]


class Credentials(Input):
    username: _Credential
    password: _Credential


class SessionOpened(BaseModel):
    """`token` goes into `Authorization: Bearer <token>`; it is shown here only."""

    token: str
    expires_at: Moment
    user: Person


class Me(BaseModel):
    id: int
    name: str
    username: str
    is_staff: bool


class SessionsView(ApiView):
    """A session of a program: POST opens one with a password, DELETE ends the one used."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        # Who signs in has no credential yet; a stale one must not stand in the way.
        if self.request is not None and self.request.method == "POST":
            return []
        return super().get_authenticators()

    def get_permissions(self) -> Sequence[Any]:
        if self.request is not None and self.request.method == "POST":
            return [AllowAny()]
        return super().get_permissions()

    @extend_schema(
        operation_id="sign_in", request=Credentials, responses={201: SessionOpened}, auth=[]
    )
    def post(self, request: Request) -> Response:
        """Sign in with name and password; the session lasts 12 hours."""
        given = received(Credentials, request)
        user: Any = authenticate(
            request._request,  # noqa: SLF001 - Django's own request, which backends may look at
            username=given.username,
            password=given.password,
        )
        if user is None:
            banned = banned_with_password(given.username, given.password)
            raise banned or Unauthorized(
                "expected the name and password of an active account, got others"
            )
        token, expires_at = sign_in(user, SESSION_AGE_S)
        opened = {"token": token, "expires_at": wire_time(expires_at), "user": person(user)}
        return Response(opened, status=201, headers={"Cache-Control": "no-store"})

    @extend_schema(operation_id="sign_out", request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """End the session of the cookie or the Bearer token; its sockets are closed with 4409."""
        if isinstance(request.auth, Identity):
            logout(_session_request(request))
        else:
            logout(request._request)  # noqa: SLF001 - the cookie's session lives there
        return Response(status=204)


def _session_request(request: Request) -> HttpRequest:
    """A request with the Bearer token's session, as `logout` and its signal expect one."""
    scheme, _, token = request.headers["Authorization"].strip().partition(" ")
    if scheme.lower() != "bearer":
        raise BadRequest("expected a session to end, got an API key, which has none")
    ending = HttpRequest()
    ending.session = session_store(token.strip())
    ending.user = request.user
    return ending


class MeView(ApiView):
    """Who the credential belongs to."""

    @extend_schema(operation_id="who_am_i", responses=Me)
    def get(self, request: Request) -> Response:
        """Your own account."""
        user: Any = request.user
        return Response(
            {**person(user), "username": user.get_username(), "is_staff": user.is_staff}
        )
