"""From credentials to an identity. Synchronous: runs in a database thread.

Three ways in: the session cookie, `Api-Key <key>` and `Bearer <session token>`; a session token is
the key of a signed-in session, given out by `POST /api/sessions/`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from importlib import import_module
from sys import intern
from typing import Any, Self, cast

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
)
from django.contrib.sessions.backends.base import SessionBase
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from realtime.bans.refusing import refusal_of
from realtime.database import snapshot
from realtime.log.reading import StreamState, stream_state
from realtime.models import ApiKey
from realtime.models.api_key import KEY_PREFIX, key_digest
from realtime.people import display_name
from realtime.protocol.errors import Unauthorized
from realtime.protocol.streams import user_stream


@dataclass(frozen=True, slots=True)
class Identity:
    """A signed-in user and the credential that says so; `credential` appears in `Event.ends`.

    `read` reads the same credential afresh from what was `presented`. (As one `partial` they would
    take three times as much, in every socket.)
    """

    user: Any
    credential: str
    expires_at: datetime | None
    read: Callable[[Any], "Identity"] = field(repr=False, compare=False)
    presented: Any = field(repr=False, compare=False)

    def again(self) -> "Identity":
        """As of now. Raises Unauthorized."""
        return self.read(self.presented)

    @property
    def user_id(self) -> int:
        return int(self.user.pk)

    @property
    def name(self) -> str:
        user = self.user
        return user.name if isinstance(user, KeptUser) else display_name(user)

    def kept(self) -> "Identity":
        """The same, with so little of the user as a socket needs for its whole life."""
        if not isinstance(self.user, Model):
            return self
        return replace(self, user=KeptUser(self.user))


# Not kept for a socket's life; whoever asks for them nevertheless reads them from the database.
_NOT_KEPT = frozenset({"password", "last_login", "date_joined", "email"})


@cache
def _kept_fields(model: type[Model]) -> tuple[str, ...]:
    fields = model._meta.concrete_fields  # noqa: SLF001 - Django documents it
    return tuple(field.attname for field in fields if field.name not in _NOT_KEPT)


@cache
def _column_readers(model: type[Model]) -> dict[str, Callable[[Any], Any]]:
    """How the value of each kept column is read from JSON."""
    field = model._meta.get_field  # noqa: SLF001 - Django documents it
    return {name: field(name).to_python for name in _kept_fields(model)}  # type: ignore[union-attr]


@cache
def _plainly_made(model: type[Model]) -> bool:
    """Whether nothing happens when an instance is made but that its fields are set: then every
    command need not go through Django's loop over all of them, kept or not."""
    ways = model.__init__ is Model.__init__ and model.from_db.__func__ is Model.from_db.__func__  # type: ignore[attr-defined]
    return ways and not (pre_init.has_listeners(model) or post_init.has_listeners(model))


@cache
def _key_place(model: type[Model]) -> int:
    key = model._meta.pk  # noqa: SLF001 - Django documents it
    return _kept_fields(model).index(key.attname if key is not None else "")


class KeptUser(tuple[Any, ...]):
    """A user's row without what is large or secret: 0.2 KiB where the model's instance has 1.2.

    Its model, the name shown, and the fields; a tuple, because there is one for every socket.
    """

    __slots__ = ()

    def __new__(cls, user: Model) -> Self:
        """As the user is now."""
        model = type(user)
        values = (getattr(user, name) for name in _kept_fields(model))
        return super().__new__(cls, (model, intern(display_name(user)), *values))

    @property
    def pk(self) -> Any:
        """The primary key, of whatever type."""
        return self[2 + _key_place(self[0])]

    @property
    def name(self) -> str:
        """As others are shown it; rosters hold the same string."""
        return cast("str", self[1])

    def columns(self) -> dict[str, Any]:
        """What is kept of the row, by field."""
        return dict(zip(_kept_fields(self[0]), self[2:], strict=True))

    @classmethod
    def of_columns(cls, model: type[Model], name: str, columns: dict[str, Any]) -> Self:
        """As `name` and `columns` gave them, by way of JSON. Raises ValueError for those of another
        model. No instance is made for it, which would take as long as all the rest."""
        readers = _column_readers(model)
        if readers.keys() != columns.keys():
            raise ValueError("expected the columns of the present user model, got others")
        values = (read(columns[column]) for column, read in readers.items())
        return super().__new__(cls, (model, intern(name), *values))

    def restored(self) -> Model:
        """The instance as it was read; no database is asked."""
        model: type[Model] = self[0]
        if not _plainly_made(model):
            return model.from_db(DEFAULT_DB_ALIAS, _kept_fields(model), self[2:])
        made = model.__new__(model)
        made._state = state = ModelState()  # noqa: SLF001 - as from_db does
        state.adding, state.db = False, DEFAULT_DB_ALIAS
        made.__dict__.update(zip(_kept_fields(model), self[2:], strict=True))
        return made


def restored(user: Any) -> Any:
    """What actions and authorizers take for the user."""
    return user.restored() if isinstance(user, KeptUser) else user


def session_credential(session_key: str) -> str:
    """Names a session in the log without giving the session away."""
    return f"session.{hashlib.sha256(session_key.encode()).hexdigest()[:32]}"


def session_store(session_key: str | None) -> SessionBase:
    store: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return store


def identity_of_session(session_key: str) -> Identity:
    """Raises Unauthorized when nobody is signed in by that session.

    Only reads, for it runs inside a snapshot: `django.contrib.auth.get_user` would flush a session
    that a changed password has outdated.
    """
    session = session_store(session_key)
    user = get_user_model()._default_manager.filter(pk=session.get(SESSION_KEY)).first()  # noqa: SLF001
    if user is None or not user.is_active or not _hash_fits(session, user):
        text = "expected a signed-in session, got one that is unknown or has ended"
        raise refusal_of(user, text)
    return Identity(
        user,
        session_credential(session_key),
        session_end(session),
        identity_of_session,
        session_key,
    )


def _hash_fits(session: SessionBase, user: Any) -> bool:
    """Whether the session was signed in with the present password, under the present secret or
    one of the former ones that the settings still accept."""
    known = session.get(HASH_SESSION_KEY, "")
    return session.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS and any(
        constant_time_compare(known, fitting)
        for fitting in (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    )


def session_end(session: SessionBase) -> datetime:
    """When the stored session ends. `get_expiry_date` counts its age from now, not from when it
    was stored; only stores without a table leave nothing better."""
    model = getattr(session, "model", None)
    rows = model.objects.filter(pk=session.session_key) if model is not None else None
    stored: datetime | None = rows.values_list("expire_date", flat=True).first() if rows else None
    return stored or session.get_expiry_date()


def identity_of_key(text: str) -> Identity:
    """Raises Unauthorized."""
    return identity_by(
        ApiKey.objects.select_related("user").filter(digest=key_digest(text)).first()
    )


def identity_by(key: ApiKey | None) -> Identity:
    """By a key's row with its user, None where there is none. Raises Unauthorized."""
    if key is None or not key.valid or not key.user.is_active:
        text = "expected a valid API key, got one that is unknown, expired or revoked"
        raise refusal_of(key and key.user, text)
    credential = key.credential  # stands for the row as well: one string for every socket
    return Identity(key.user, credential, key.expires_at, identity_of_row, credential)


def identity_of_row(credential: str) -> Identity:
    """Raises Unauthorized."""
    key_id = ApiKey.key_id(credential)
    return identity_by(ApiKey.objects.select_related("user").filter(pk=key_id).first())


def identity_of_header(authorization: str) -> Identity:
    """`Api-Key <key>` or `Bearer <session token>`. Raises Unauthorized."""
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "api-key" and value:
        return identity_of_key(value)
    if scheme.lower() == "bearer" and value:
        return identity_of_session(value)
    raise Unauthorized(
        "authorization: expected 'Api-Key <key>' or 'Bearer <token>', got another scheme"
    )


def identity_of_token(token: str) -> Identity:
    """An API key is known by its prefix; anything else is a session token. Raises Unauthorized."""
    return identity_of_key(token) if token.startswith(KEY_PREFIX) else identity_of_session(token)


@dataclass(frozen=True, slots=True)
class Authenticated:
    """An identity as of seq `at` of the user's own stream: endings above it are yet to be seen.

    stream: its row, where the same snapshot told; read_at: when that began, by the monotonic clock
    """

    identity: Identity
    at: int
    stream: StreamState | None = field(default=None, compare=False)
    read_at: float = field(default=0.0, compare=False)


def authenticated_again(identity: Identity) -> Authenticated:
    """The identity and the position as they are now. Raises Unauthorized, NotFound."""
    with snapshot():
        fresh = identity.again()
        return Authenticated(fresh, stream_state(user_stream(fresh.user_id)).head)


def authenticated_by(read: Callable[[str], Identity], credential: str) -> Authenticated:
    """The identity and the head of its user's stream, read in one snapshot.

    Raises Unauthorized, NotFound.
    """
    with snapshot():
        identity = read(credential)
        return Authenticated(identity, stream_state(user_stream(identity.user_id)).head)


def sign_in(user: Any, age_s: int) -> tuple[str, datetime]:
    """A new session for a program: its token and its end. The caller has checked the password."""
    from django.contrib.auth import login

    request = HttpRequest()
    request.session = session_store(None)
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session.set_expiry(age_s)
    request.session.save()
    key = request.session.session_key
    if key is None:
        raise Unauthorized("expected the session to be stored, got none")
    return key, request.session.get_expiry_date()
