"""Bans of addresses: what may be banned, and who is in it."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from chat.models import User
from realtime.bans import networks
from realtime.bans.imposing import ban_network, lift_ban
from realtime.bans.networks import Networks, network_of, stored
from realtime.database import Calls
from realtime.models import Ban
from realtime.protocol.errors import BadRequest, Conflict, LimitReached, RealtimeError
from tests.audit.entries import recorded

OWN = "198.51.100.1"


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        (" 192.0.2.7/24 ", "192.0.2.0/24"),
        ("2001:DB8::1/64", "2001:db8::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
    ],
)
def test_network_is_written_in_one_way(text: str, network: str) -> None:
    """So that the same one is not banned twice, and mapped addresses are what they stand for."""
    assert str(network_of(text)) == network


@pytest.mark.parametrize("text", ["", "example.com", "192.0.2.0/33", "1.2.3", "0.0.0.0/0", "::/0"])
def test_what_is_no_network_is_refused(text: str) -> None:
    """Nor one that would shut out a part of the world."""
    with pytest.raises(BadRequest, match="network: expected"):
        network_of(text)


def test_addresses_are_found_in_their_network() -> None:
    """Of either version, at its ends and beside it; one that is over holds nobody."""
    past = timezone.now() - timedelta(seconds=1)
    table = Networks([("192.0.2.0/25", None), ("2001:db8::/64", None), ("203.0.113.0/24", past)])
    for address in ("192.0.2.0", "192.0.2.127", "::ffff:192.0.2.9", "2001:db8::1", "2001:db8::1%e"):
        assert table.hold(address), address
    outside: tuple[str | None, ...] = (
        "192.0.1.255",
        "192.0.2.128",
        "2001:db8:0:1::",
        "203.0.113.5",
        "?",
        "",
        None,
    )
    for stranger in outside:
        assert not table.hold(stranger), stranger


@pytest.mark.django_db
def test_network_is_banned_and_lifted(root: User) -> None:
    """With its entries; banned once at a time, and again after its end."""
    ban = ban_network(root, "192.0.2.9/24", reason="flood", until=None, own_address=OWN)
    assert stored().hold("192.0.2.1")
    with pytest.raises(Conflict):
        ban_network(root, "192.0.2.0/24", reason="flood", until=None, own_address=OWN)
    lift_ban(root, ban.pk)
    assert not stored().hold("192.0.2.1")
    ban_network(root, "192.0.2.0/24", reason="flood", until=None, own_address=OWN)
    entries = recorded("ban_made", "ban_lifted")
    assert [one.action for one in entries] == ["ban_made", "ban_lifted", "ban_made"]
    assert {one.target for one in entries} == {"network.192.0.2.0/24"}
    assert {one.actor for one in entries} == {root.pk}


@pytest.mark.django_db
@pytest.mark.parametrize("own", [OWN, f"::ffff:{OWN}"])
def test_operator_does_not_lock_themselves_out(root: User, own: str) -> None:
    with pytest.raises(BadRequest, match="your own address"):
        ban_network(root, "198.51.0.0/16", reason="slip", until=None, own_address=own)
    assert not Ban.objects.exists()


@pytest.mark.django_db
def test_table_has_a_bound(root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.bans.imposing.MAX_NETWORKS", 1)
    ban_network(root, "192.0.2.0/24", reason="flood", until=None, own_address=None)
    with pytest.raises(LimitReached):
        ban_network(root, "203.0.113.0/24", reason="flood", until=None, own_address=None)


def test_table_is_read_once_for_a_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes first waits for one reading; later ones for none until it is due; one that
    fails leaves what was known."""
    answers: list[Networks | RealtimeError] = [Networks([("192.0.2.0/24", None)])]

    def read() -> Networks:
        found = answers[0]
        if isinstance(found, RealtimeError):
            raise found
        return found

    monkeypatch.setattr(networks, "stored", read)

    async def crowd() -> None:
        import asyncio

        table = networks.Table()
        before = Calls.total
        await asyncio.gather(*(table.known() for _ in range(50)))
        assert table.hold("192.0.2.1")
        assert not await table.refresh()
        assert Calls.total == before + 1
        table.expire()
        assert not await table.refresh()  # read, and nothing new
        assert Calls.total == before + 2
        answers[0] = BadRequest("broken")
        table.expire()
        with pytest.raises(BadRequest):
            await table.refresh()
        assert table.hold("192.0.2.1")
        answers[0] = Networks([])
        table.expire()
        assert await table.refresh()
        assert not table.hold("192.0.2.1")

    async_to_sync(crowd)()
