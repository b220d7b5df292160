"""The session store of the project: Django's own, asked only for keys that it could have made."""

import pytest
from django.contrib.sessions.backends.db import SessionStore as StockStore
from django.contrib.sessions.models import Session

from realtime.security.identity import session_store


@pytest.mark.parametrize(
    "key", ["abcdefgh\x00ij", "abcdefgh\n", "ABCDEFGH", "abcdefg-h", "äbcdefgh", "a" * 7, "a" * 41]
)
def test_strange_key_is_no_key(key: str) -> None:
    """Nothing is read for it (no database mark here), and the session begins empty."""
    store = session_store(key)
    assert store.session_key is None
    assert store.get("anything") is None


@pytest.mark.django_db
def test_own_keys_are_kept() -> None:
    """What the store made is found again, also by Django's own class, which tools use."""
    store = session_store(None)
    store["colour"] = "green"
    store.save()
    key = store.session_key
    assert key is not None
    assert session_store(key)["colour"] == "green"
    assert StockStore(key)["colour"] == "green"
    assert Session.objects.get(pk=key).get_decoded() == {"colour": "green"}
