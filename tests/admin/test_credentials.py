"""Keys and accounts in the admin: shown once, ended with an event."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from chat.models import User
from realtime.models import ApiKey, Event

pytestmark = pytest.mark.django_db


def endings(user: User) -> list[str | None]:
    rows = Event.objects.filter(stream__name=f"user.{user.pk}", ends__isnull=False)
    return list(rows.order_by("seq").values_list("ends", flat=True))


def test_new_key_is_shown_once_and_works(admin: Client, ada: User) -> None:
    """The message after creating holds the key; no later page does."""
    form = {"user": ada.pk, "name": "ci", "expires_at_0": "2099-01-01", "expires_at_1": "00:00"}
    page = admin.post(reverse("admin:realtime_apikey_add"), form, follow=True).content.decode()
    [text] = set(re.findall(r"pm_[\w-]{20,}", page))
    key = ApiKey.objects.get()
    assert (key.user, key.name, key.expires_at.year if key.expires_at else None) == (
        ada,
        "ci",
        2099,
    )
    me = Client(headers={"authorization": f"Api-Key {text}"}).get("/api/me/")
    assert me.json()["id"] == ada.pk
    change = reverse("admin:realtime_apikey_change", args=[key.pk])
    for address in (change, reverse("admin:realtime_apikey_changelist")):
        assert text not in admin.get(address).content.decode()


def test_revoking_ends_each_key_with_an_event(admin: Client, ada: User) -> None:
    """One event per key; a key that was revoked already is left alone."""
    keys = [ApiKey.issue(ada.pk, str(n))[0] for n in range(3)]
    form = {"action": "revoke", "_selected_action": [key.pk for key in keys[:2]]}
    address = reverse("admin:realtime_apikey_changelist")
    assert admin.post(address, form).status_code == 302
    assert endings(ada) == [key.credential for key in keys[:2]]
    assert admin.post(address, form).status_code == 302
    assert len(endings(ada)) == 2
    assert ApiKey.objects.get(pk=keys[2].pk).valid


def test_deleting_a_key_ends_it_with_an_event(admin: Client, ada: User) -> None:
    """Also by the bulk action."""
    keys = [ApiKey.issue(ada.pk, str(n))[0] for n in range(2)]
    ends = [key.credential for key in keys]
    form = {
        "action": "delete_selected",
        "_selected_action": [key.pk for key in keys],
        "post": "yes",
    }
    assert admin.post(reverse("admin:realtime_apikey_changelist"), form).status_code == 302
    assert sorted(map(str, endings(ada))) == sorted(ends)


def test_new_password_ends_every_sign_in(admin: Client, ada: User) -> None:
    """The form of the admin saves through the model."""
    address = reverse("admin:auth_user_password_change", args=[ada.pk])
    form = {"password1": "a-new-Passw0rd-7", "password2": "a-new-Passw0rd-7"}
    assert admin.post(address, form).status_code == 302
    ada.refresh_from_db()
    assert ada.check_password("a-new-Passw0rd-7")
    assert endings(ada) == [f"user.{ada.pk}"]


def test_disconnecting_ends_each_person_with_an_event(admin: Client, ada: User) -> None:
    """Their sockets close by it; the sign-ins stay as they are."""
    bob = User.objects.create_user("bob")
    key = ApiKey.issue(ada.pk, "kept")[0]
    form = {"action": "disconnect", "_selected_action": [ada.pk, bob.pk]}
    assert admin.post(reverse("admin:chat_user_changelist"), form).status_code == 302
    assert (endings(ada), endings(bob)) == ([f"user.{ada.pk}"], [f"user.{bob.pk}"])
    assert ApiKey.objects.get(pk=key.pk).valid
