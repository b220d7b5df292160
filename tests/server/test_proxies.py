"""TRUSTED_PROXIES: whose X-Forwarded-Proto and X-Forwarded-For `serve` believes.

A proxy on another host is played by another address of the loopback, as Linux has them.
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.nodes.installation import temporary_installation
from tests.nodes.server import Server, running

PROXY, OTHER = "127.0.0.2", "127.0.0.1"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="expected a loopback network, got one address"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("proxies")
        installation = stack.enter_context(temporary_installation(folder))
        proxies = f"192.0.2.0/24,{PROXY}"
        yield stack.enter_context(running(Server(installation, TRUSTED_PROXIES=proxies)))[0]


def policy_by(server: Server, address: str) -> str:
    """The Content-Security-Policy of a page asked for over TLS, as a proxy there forwards it."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address=address)) as client:
        answer = client.get(server.http + "/sign-in/", headers={"X-Forwarded-Proto": "https"})
    return answer.headers["Content-Security-Policy"]


def close_code_by(server: Server, address: str) -> int:
    """How a socket from the site's own page over TLS ends, which names an unknown key."""
    place = httpx.URL(server.http)
    reached = socket.create_connection((place.host, place.port or 80), 10, (address, 0))
    with connect(
        server.ws + "/ws",
        sock=reached,
        proxy=None,
        origin=Origin(server.http.replace("http:", "https:")),
        additional_headers={"X-Forwarded-Proto": "https", "Authorization": "Api-Key unknown"},
    ) as client:
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=5)
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code


def test_pages_behind_a_trusted_proxy_are_secure(server: Server) -> None:
    """What Django calls secure follows the proxy's word, and nobody else's."""
    assert "wss://" in policy_by(server, PROXY)
    assert "wss://" not in policy_by(server, OTHER)


def test_own_origin_behind_a_trusted_proxy_is_https(server: Server) -> None:
    """Bug: with the proxy on another host every browser was refused with 4403 by its origin."""
    assert close_code_by(server, PROXY) == 4401
    assert close_code_by(server, OTHER) == 4403


def test_client_behind_a_trusted_proxy_is_logged_by_its_own_address(server: Server) -> None:
    """X-Forwarded-For of others is no evidence."""
    for address, said in ((PROXY, "198.51.100.7"), (OTHER, "198.51.100.8")):
        reached = socket.create_connection(
            (httpx.URL(server.http).host, httpx.URL(server.http).port or 80), 10, (address, 0)
        )
        headers = {"X-Forwarded-For": said, "Authorization": "Api-Key unknown"}
        with (
            connect(
                server.ws + "/ws", sock=reached, proxy=None, additional_headers=headers
            ) as client,
            pytest.raises(ConnectionClosed),
        ):
            client.recv(timeout=5)
    assert "refused from=198.51.100.7 " in server.text
    assert "198.51.100.8" not in server.text
