"""Who stands at the door: the credentials of a crowd, in a fixed number of queries.

API keys and table sessions are read together; what is unusual about a session (another store or
backend, a rotated secret) goes the way that Django takes for one. Synchronous.
"""

import time
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
)
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from realtime.database import snapshot
from realtime.log.reading import StreamState, stream_states_by_name
from realtime.models import ApiKey
from realtime.models.api_key import key_digest
from realtime.protocol.errors import NotFound, RealtimeError, Unauthorized
from realtime.protocol.streams import user_stream
from realtime.security.identity import (
    Authenticated,
    Identity,
    identity_by,
    identity_of_session,
    session_credential,
    session_store,
)
from realtime.security.sessions import valid_key

_PLAIN_STORE = "realtime.security.sessions"
_PLAIN_BACKEND = "django.contrib.auth.backends.ModelBackend"


class Way(Enum):
    KEY = auto()
    SESSION = auto()


class Credential(NamedTuple):
    way: Way
    text: str


def credential_of_header(authorization: str) -> Credential:
    """`Api-Key <key>` or `Bearer <session token>`. Raises Unauthorized."""
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    way = {"api-key": Way.KEY, "bearer": Way.SESSION}.get(scheme.lower())
    if way is None or not value:
        raise Unauthorized(
            "authorization: expected 'Api-Key <key>' or 'Bearer <token>', got another scheme"
        )
    return Credential(way, value) if way is Way.KEY else credential_of_session(value)


def credential_of_session(key: str) -> Credential:
    """Raises Unauthorized."""
    if not key.isprintable():  # PostgreSQL takes no NUL, and no store makes such a key
        raise Unauthorized("expected a session's key, got unprintable characters")
    return Credential(Way.SESSION, key)


def authenticated_together(asked: Sequence[Credential]) -> list[Authenticated | RealtimeError]:
    """For each credential the identity and the head of its user's stream, all in one snapshot;
    Unauthorized or NotFound for those that are refused."""
    read_at = time.monotonic()
    with snapshot():
        found = _by_key(_texts(asked, Way.KEY)) | _by_session(_texts(asked, Way.SESSION))
        users = [one.user_id for one in found.values() if isinstance(one, Identity)]
        names = [user_stream(user_id) for user_id in users]
        states = {state.name: state for state in stream_states_by_name(names)} if names else {}
    return [_with_stream(found[credential], states, read_at) for credential in asked]


_Found = dict[Credential, Identity | RealtimeError]


def _texts(asked: Sequence[Credential], way: Way) -> list[str]:
    return [credential.text for credential in asked if credential.way is way]


def _with_stream(
    identity: Identity | RealtimeError, states: dict[str, StreamState], read_at: float
) -> Authenticated | RealtimeError:
    if isinstance(identity, RealtimeError):
        return identity
    state = states.get(user_stream(identity.user_id))
    if state is None:
        return NotFound("expected the account's stream, got none")
    return Authenticated(identity, state.head, state, read_at)


def _answer(read: Callable[[], Identity]) -> Identity | RealtimeError:
    try:
        return read()
    except Unauthorized as error:
        return error


def _by_key(texts: Sequence[str]) -> _Found:
    if not texts:
        return {}
    digests = {text: key_digest(text) for text in texts}
    rows = ApiKey.objects.select_related("user").filter(digest__in=digests.values())
    by_digest = {row.digest: row for row in rows}
    return {
        Credential(Way.KEY, text): _answer(lambda digest=digest: identity_by(by_digest.get(digest)))  # type: ignore[misc]
        for text, digest in digests.items()
    }


def _by_session(keys: Sequence[str]) -> _Found:
    plain = _plain_sessions(keys) if keys and settings.SESSION_ENGINE == _PLAIN_STORE else {}
    return {
        Credential(Way.SESSION, key): plain.get(key)
        or _answer(lambda key=key: identity_of_session(key))  # type: ignore[misc]
        for key in keys
    }


def _plain_sessions(keys: Sequence[str]) -> dict[str, Identity]:
    """Those sessions about which there is nothing to decide but yes; as `get_user` checks them."""
    store: Any = session_store(None)
    possible = [key for key in keys if valid_key(key)]
    rows = store.model.objects.filter(pk__in=possible, expire_date__gt=timezone.now())
    contents = {row.pk: (store.decode(row.session_data), row.expire_date) for row in rows}
    model: Any = get_user_model()
    wanted = {content.get(SESSION_KEY) for content, _ in contents.values()} - {None}
    users = {str(user.pk): user for user in model._default_manager.filter(pk__in=wanted)}  # noqa: SLF001 - as Django's backend does
    found: dict[str, Identity] = {}
    for key, (content, ends) in contents.items():
        user = users.get(str(content.get(SESSION_KEY)))
        if user is not None and user.is_active and _signed_in(content, user):
            credential = session_credential(key)
            found[key] = Identity(user, credential, ends, identity_of_session, key)
    return found


def _signed_in(content: dict[str, Any], user: Any) -> bool:
    backend = content.get(BACKEND_SESSION_KEY)
    if backend != _PLAIN_BACKEND or backend not in settings.AUTHENTICATION_BACKENDS:
        return False
    proof = content.get(HASH_SESSION_KEY)
    return isinstance(proof, str) and constant_time_compare(proof, user.get_session_auth_hash())
