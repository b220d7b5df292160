"""Credentials, epochs and peers that are not what they were."""

import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed

from tests.nodes.backstage import Backstage
from tests.nodes.client import Client, cut
from tests.nodes.server import COMMANDS, Server, wait_until
from tests.sockets.conftest import Join, Person, Team

STANDSTILL_S = 60.0
PASSWORD = "a long enough password"


def test_session_of_before_a_password_change_is_refused(
    node: Server, backstage: Backstage, person: Callable[..., Person], stack: ExitStack
) -> None:
    """Bug: it was thrown away inside a reading transaction, which failed on PostgreSQL."""
    ada = person(password=PASSWORD)
    answer = node.request(
        "POST", "/api/sessions/", json={"username": ada.username, "password": PASSWORD}
    )
    token = answer.json()["token"]
    backstage("change_password", user=ada.id)
    client = stack.enter_context(Client(node.ws + "/ws", authorization=f"Bearer {token}"))
    assert client.closed()[0] == 4401


def test_new_epoch_leaves_sockets_open_and_watched(
    node: Server, join: Join, backstage: Backstage, team: Team
) -> None:
    """Regression: every socket of every node was closed at once, without a delay. Now streams are
    reset, and the end of the credentials is still noticed."""
    client = join(team.member)
    client.ok("subscribe", stream=team.stream)
    backstage("manage", arguments=["new_epoch"])
    assert client.wait_for("stream_reset", 10)["reason"] == "epoch"
    epoch = client.ok("subscribe", stream=team.stream)["epoch"]
    backstage("post", project=team.project, author=team.owner.id, count=1)
    assert client.wait_for("new_message")["stream"] == team.stream
    again = client.ok("subscribe", stream=team.stream, since={"epoch": epoch, "seq": 0})
    assert again["recovered"]
    backstage("change_password", user=team.member.id)
    assert client.closed(10)[0] == 4409


def flood(client: Client, within_s: float) -> None:
    began = time.monotonic()
    while time.monotonic() < began + within_s:
        client.send('{"id":1,"cmd":"ping"}')


def ended_by_flood(server: Server, person: Person) -> str:
    """Flood until the server ends it; the connection's id. Or until it stands still: Linux drops
    acknowledgements together with data that its full receive buffer has no room for, and then
    nothing moves in either direction until a retransmission, half a minute later, gets through."""
    client = Client(server.ws + "/ws", authorization=person.authorization, slow=True)
    try:
        client.greeted()
        client.socket.socket.settimeout(6.0)  # a close that is not answered takes five
        with pytest.raises(ConnectionClosed) as ended:
            flood(client, within_s=20)
    finally:
        cut(client)
    assert ended.value.rcvd is None or ended.value.rcvd.code == 4529
    connection: str = client.frames[0]["data"]["connection"]
    return connection


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_flood_of_a_peer_that_reads_nothing_is_ended(
    nodes: dict[str, Server], team: Team, name: str
) -> None:
    """Regression: refusals were queued as fast as they were provoked, without a bound; and the
    close stood in line behind them."""
    server = nodes[name]
    connection = ended_by_flood(server, team.member)
    closing, closed = (
        f"closing connection={connection} code=4529",
        f"closed connection={connection}",
    )
    # Where it stood still, the server reads on once a retransmission got through.
    wait_until(lambda: closing in server.text, closing, STANDSTILL_S)
    wait_until(lambda: closed in server.text, closed)
