"""Ends of credentials stand in the user's stream, in the transaction that ends them."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import login
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from chat.models import User
from realtime.models import ApiKey, Event
from realtime.security.identity import session_credential, session_store
from tests.log.world import World, head, own_stream, rolled_back

pytestmark = pytest.mark.django_db


def ends(user: User, after: int) -> list[str | None]:
    rows: Any = Event.objects.filter(stream__name=own_stream(user), seq__gt=after)
    return list(rows.order_by("seq").values_list("ends", flat=True))


@pytest.mark.parametrize("how", ["save", "update", "delete", "bulk_delete"])
def test_end_of_a_key(world: World, how: str) -> None:
    """Revoked or deleted, alone or in bulk; other keys go on."""
    key, _ = ApiKey.issue(world.ada.pk, "one")
    ApiKey.issue(world.ada.pk, "other")
    credential, before = key.credential, head(own_stream(world.ada))
    if how == "save":
        key.revoked_at = timezone.now()
        key.save()
    elif how == "update":
        ApiKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now())
    elif how == "delete":
        key.delete()
    else:
        ApiKey.objects.filter(pk=key.pk).delete()
    assert ends(world.ada, before) == [credential]


def test_renamed_key_goes_on(world: World) -> None:
    """Only its end is told."""
    key, _ = ApiKey.issue(world.ada.pk, "one")
    before = head(own_stream(world.ada))
    key.name = "two"
    key.save()
    assert ends(world.ada, before) == []


def test_logout_ends_its_session_only(world: World) -> None:
    """Named by digest: the log does not give sessions away."""
    client = Client()
    client.force_login(world.ada)
    key = client.session.session_key
    assert key
    before = head(own_stream(world.ada))
    client.logout()  # without a request: as the test client does it
    client.force_login(world.ada)
    key = client.session.session_key
    assert key
    client.post("/sign-out/")
    found = ends(world.ada, before)
    assert found[-1] == session_credential(key)
    assert key not in str(found)


@pytest.mark.parametrize("change", ["password", "is_active", "deleted"])
def test_end_of_every_sign_in(world: World, change: str) -> None:
    """A changed password, a deactivated or a deleted account."""
    stream, before, user = own_stream(world.bob), head(own_stream(world.bob)), world.bob
    ended = own_stream(user)
    if change == "password":
        user.set_password("new")
        user.save()
    elif change == "is_active":
        user.is_active = False
        user.save(update_fields=["is_active"])
    else:
        user.delete()
    rows: Any = Event.objects.filter(stream__name=stream, seq__gt=before)
    assert ended in rows.values_list("ends", flat=True)


def test_other_changes_of_an_account_end_nothing(world: World) -> None:
    """A name, or the time of the last sign-in."""
    before = head(own_stream(world.bob))
    world.bob.first_name = "Robert"
    world.bob.save()
    world.bob.last_login = timezone.now()
    world.bob.save(update_fields=["last_login"])
    assert ends(world.bob, before) == []


def test_end_that_is_rolled_back_did_not_happen(world: World) -> None:
    """Credential and event are one transaction."""
    key, _ = ApiKey.issue(world.ada.pk, "one")
    before = head(own_stream(world.ada))
    with rolled_back():
        key.delete()
    assert ApiKey.objects.filter(name="one").exists()
    assert ends(world.ada, before) == []


def test_membership_end_stands_in_both_streams(world: World) -> None:
    """In the project's it ends the leaver's right, in the person's own it is news."""
    before, own = head(world.stream), head(own_stream(world.bob))
    world.project.memberships.get(user=world.bob).delete()
    rows: Any = Event.objects.filter(stream__name=world.stream, seq__gt=before)
    assert list(rows.values_list("type", "ends")) == [("project_left", own_stream(world.bob))]
    assert ends(world.bob, own) == [None]


def test_signing_in_over_a_session_ends_it(world: World) -> None:
    """Regression: another person's sign-in threw the old session away without a word."""
    client = Client()
    client.force_login(world.ada)
    key = client.session.session_key
    assert key
    before = head(own_stream(world.ada))
    request = HttpRequest()
    request.session = session_store(key)
    login(request, world.bob, backend="django.contrib.auth.backends.ModelBackend")
    assert ends(world.ada, before) == [session_credential(key)]


def test_expired_session_that_is_cleared_tells_nothing(world: World) -> None:
    """Its sockets were closed when it expired."""
    client = Client()
    client.force_login(world.ada)
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    before = head(own_stream(world.ada))
    call_command("clearsessions")
    assert ends(world.ada, before) == []
    assert not Session.objects.exists()


def test_lost_rights_end_every_sign_in(world: World) -> None:
    """An operator's socket was let in with them; gaining some ends nothing."""
    before = head(own_stream(world.ada))
    world.ada.is_staff = True
    world.ada.save()
    assert ends(world.ada, before) == []
    world.ada.is_staff = False
    world.ada.save()
    assert ends(world.ada, before) == [own_stream(world.ada)]
