"""Bans in the admin: imposed with what is wrong beside its field, listed by state, lifted."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chat.models import User
from realtime.models import Ban
from tests.audit.entries import recorded

pytestmark = pytest.mark.django_db
ADD = "/admin/realtime/ban/add/"
LIST = "/admin/realtime/ban/"


def errors(response: Any) -> dict[str, list[str]]:
    assert response.status_code == 200
    found: dict[str, list[str]] = dict(response.context["adminform"].form.errors)
    return found


def test_ban_of_a_person_until_a_moment(admin: Client, operator: User, ada: User) -> None:
    at = (timezone.now() + timedelta(days=1)).replace(microsecond=0)
    times = {"until_0": f"{at:%Y-%m-%d}", "until_1": f"{at:%H:%M:%S}"}
    answer = admin.post(ADD, {"user": ada.pk, "reason": "spam", **times})
    assert answer.status_code == 302
    row = Ban.objects.get()
    assert (row.user, row.until, row.made_by, row.reason) == (ada, at, operator, "spam")
    assert not User.objects.get(pk=ada.pk).is_active
    assert len(recorded("ban_made", "admin_addition")) == 2
    page = admin.get(reverse("admin:realtime_ban_change", args=[row.pk])).content.decode()
    assert "spam" in page
    assert 'name="_save"' not in page


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"reason": "x"}, "__all__"),
        ({"reason": "x", "user": "ada", "network": "192.0.2.1"}, "__all__"),
        ({"reason": "x", "network": "somewhere"}, "network"),
        ({"reason": "x", "network": "127.0.0.0/8"}, "network"),
        ({"reason": "x", "user": "root"}, "user"),
        ({"reason": "", "user": "ada"}, "reason"),
        (
            {"reason": "x", "user": "ada", "until_0": "2020-01-01", "until_1": "00:00:00"},
            "until",
        ),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    admin: Client, operator: User, ada: User, given: dict[str, str], field: str
) -> None:
    """And nothing is stored: the operator's own address and account among it."""
    people = {"ada": ada.pk, "root": operator.pk}
    form = {**given, **({"user": people[given["user"]]} if "user" in given else {})}
    assert list(errors(admin.post(ADD, form))) == [field]
    assert not Ban.objects.exists()
    assert User.objects.get(pk=ada.pk).is_active


def test_form_is_filled_in_from_the_address(admin: Client, ada: User) -> None:
    """As the links of the live connections have it."""
    page = admin.get(f"{ADD}?user={ada.pk}&network=2001:db8::1").content.decode()
    assert f'<option value="{ada.pk}" selected' in page
    assert 'value="2001:db8::1"' in page


def test_list_knows_who_is_out(admin: Client, operator: User) -> None:
    """Lifted and past ones are ended, also while no job has said so."""
    past = timezone.now() - timedelta(seconds=1)
    coming = timezone.now() + timedelta(days=1)
    for number, fields in enumerate(
        [{}, {"until": coming}, {"until": past}, {"ended_at": past}, {"until": coming}]
    ):
        Ban.objects.create(network=f"192.0.2.{number}/32", reason="x", **fields)

    def shown(state: str) -> list[str]:
        rows = admin.get(LIST, {"state": state}).context["cl"].queryset
        return sorted(rows.values_list("network", flat=True))

    assert shown("in_force") == ["192.0.2.0/32", "192.0.2.1/32", "192.0.2.4/32"]
    assert shown("ended") == ["192.0.2.2/32", "192.0.2.3/32"]
    assert len(shown("")) == 5


def test_rights_to_look_to_ban_and_to_lift(ada: User, operator: User) -> None:
    """Three permissions; the page of live connections offers it to whom it is allowed."""
    ada.is_staff = True
    ada.save()
    client = Client()
    client.force_login(ada)
    row = Ban.objects.create(network="192.0.2.0/24", reason="x")
    lift = {"action": "lift", "_selected_action": [row.pk]}
    assert client.get(LIST).status_code == 403
    give(ada, "view_ban")
    assert client.get(LIST).status_code == 200
    assert client.get(ADD).status_code == 403
    client.post(LIST, lift)
    assert Ban.objects.get().ended_at is None
    give(ada, "add_ban")
    assert client.get(ADD).status_code == 200
    give(ada, "change_ban")
    client.post(LIST, lift)
    assert Ban.objects.get().ended_at is not None


def give(user: User, codename: str) -> None:
    user.user_permissions.add(Permission.objects.get(codename=codename))
