"""Session keys that a database cannot even be asked for: refused quietly on every way in.

The servers' log is checked at the end of the run: none of these may leave a traceback in it.
"""

from collections.abc import Callable
from http.cookies import SimpleCookie

import httpx
import pytest

from tests.nodes.client import Client
from tests.nodes.server import Server
from tests.sockets.conftest import Join, Person

STRANGE = ["abcdefgh\x00ij", "abcdefgh\nij", "ABCDEFGHIJ", "abcdefgh ij", "a" * 41, "abc"]


def cookie(key: str) -> str:
    """As a header: what is no token is quoted, a NUL as \\000."""
    made = SimpleCookie()
    made["sessionid"] = key
    return made.output(header="").strip()


@pytest.mark.parametrize("key", STRANGE)
def test_strange_cookie_is_nobody_on_a_socket(node: Server, key: str) -> None:
    """Bug: PostgreSQL has no NUL in texts, so the DataError ended the consumer with a traceback."""
    with Client(node.ws + "/ws", cookie=cookie(key), origin=node.http) as client:
        assert client.closed()[0] == 4401


@pytest.mark.parametrize("key", STRANGE)
def test_strange_cookie_is_nobody_over_http(node: Server, key: str) -> None:
    """Bug: the same cookie was a 500 on every page."""
    headers = {"Cookie": cookie(key)}
    assert httpx.get(node.http + "/sign-in/", headers=headers, timeout=10).status_code == 200
    assert httpx.get(node.http + "/api/me/", headers=headers, timeout=10).status_code == 401


@pytest.mark.parametrize(
    "token", ["abcdefgh\x00ij", "\x00", "", "é" * 32, "a" * 257, "a" * 256, "abcdefghij", "pm_\x00"]
)
def test_strange_token_is_unauthorized(
    join: Join, person: Callable[..., Person], token: str
) -> None:
    """Bug: `refresh` with a NUL was a fault of ours. The socket stays."""
    client = join(person())
    assert client.error("refresh", token=token)["code"] == "unauthorized"
    client.ok("ping")
