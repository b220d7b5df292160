"""Many credentials at once are judged exactly as one alone."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.models import User
from realtime.log.reading import stream_state
from realtime.models import ApiKey, Installation
from realtime.protocol.errors import NotFound, RealtimeError, Unauthorized
from realtime.protocol.streams import user_stream
from realtime.security.admission import (
    Credential,
    Way,
    authenticated_together,
    credential_of_header,
    credential_of_session,
)
from realtime.security.identity import (
    Authenticated,
    authenticated_by,
    identity_of_key,
    identity_of_session,
    sign_in,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def installation(db: None) -> None:
    """Its row is gone after a flushed test."""
    Installation.objects.get_or_create(pk=1)


def person(name: str) -> User:
    user: User = User.objects.create_user(name)
    return user


def alone(credential: Credential) -> Authenticated | type[RealtimeError]:
    read = identity_of_key if credential.way is Way.KEY else identity_of_session
    try:
        return authenticated_by(read, credential.text)
    except (Unauthorized, NotFound) as error:
        return type(error)


def together(*asked: Credential) -> list[Authenticated | type[RealtimeError]]:
    answers = authenticated_together(asked)
    return [type(one) if isinstance(one, RealtimeError) else one for one in answers]


def cases() -> dict[str, Credential]:  # noqa: C901 - one case for each credential
    """Every way to be let in or refused, by name."""
    found: dict[str, Credential] = {}
    for name in ("good", "revoked", "expired", "inactive"):
        row, text = ApiKey.issue(person(f"{name}-key").pk, name)
        found[f"{name} key"] = Credential(Way.KEY, text)
        match name:
            case "revoked":
                row.revoked_at = timezone.now()
            case "expired":
                row.expires_at = timezone.now() - timedelta(seconds=1)
            case "inactive":
                row.user.is_active = False
                row.user.save()
        row.save()
    for name in ("good", "expired", "inactive", "changed", "foreign", "empty"):
        user = person(f"{name}-session")
        key, _ = sign_in(user, 3600)
        found[f"{name} session"] = credential_of_session(key)
        stored = Session.objects.get(pk=key)
        content = stored.get_decoded()
        match name:
            case "expired":
                stored.expire_date = timezone.now() - timedelta(seconds=1)
            case "inactive":
                user.is_active = False
                user.save()
            case "changed":
                user.set_password("another")
                user.save()
            case "foreign":
                content["_auth_user_backend"] = "somebody.elses.Backend"
            case "empty":
                content = {}
        stored.session_data = Session.objects.encode(content)
        stored.save()
    found["unknown key"] = Credential(Way.KEY, "pm_unknown")
    found["unknown session"] = credential_of_session("a" * 32)
    return found


def test_judged_together_as_alone() -> None:
    """The same identity, the same head, the same refusal; in any company."""
    found = cases()
    answers = together(*found.values())
    for (name, credential), answer in zip(found.items(), answers, strict=True):
        assert answer == alone(credential), name
    let_in = [name for name, one in zip(found, answers, strict=True) if not isinstance(one, type)]
    assert let_in == ["good key", "good session"]


def test_head_is_that_of_the_persons_own_stream() -> None:
    """Endings above it are yet to be seen, so it must not be another one's."""
    user = person("ada")
    _, text = ApiKey.issue(user.pk, "one")
    user.set_password("another")
    user.save()
    (answer,) = authenticated_together([Credential(Way.KEY, text)])
    assert isinstance(answer, Authenticated)
    assert answer.at == stream_state(user_stream(user.pk)).head > 0


def test_queries_do_not_grow_with_the_crowd() -> None:
    """40 keys and 40 sessions cost what one of each costs."""

    def made(count: int, name: str) -> list[Credential]:
        people = [person(f"{name}{number}") for number in range(count)]
        keys = [Credential(Way.KEY, ApiKey.issue(one.pk, "k")[1]) for one in people]
        return keys + [credential_of_session(sign_in(one, 3600)[0]) for one in people]

    costs = []
    for crowd in (made(1, "few"), made(40, "many")):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert all(isinstance(one, Authenticated) for one in authenticated_together(crowd))
        costs.append(len(captured))
    assert costs[0] == costs[1]


@pytest.mark.parametrize(
    "header", ["", "Api-Key", "Api-Key  ", "Basic abc", "Bearer", "Bearer a\0b", "abc"]
)
def test_unusable_header_is_refused(header: str) -> None:
    """Before any database is asked; a NUL would fail the read of everybody else."""
    with pytest.raises(Unauthorized):
        credential_of_header(header)


def test_scheme_is_read_in_any_case() -> None:
    assert credential_of_header("api-key x") == Credential(Way.KEY, "x")
    assert credential_of_header(" BEARER  y ") == Credential(Way.SESSION, "y")
