"""Readers that stop reading: what the server does about them, and what it costs the others."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psutil
import pytest

from realtime.sockets.writer import LAGGING_BYTES
from tests.nodes.backstage import Backstage
from tests.nodes.client import Client, assert_unbroken, cut
from tests.nodes.installation import Installation
from tests.nodes.server import PLAIN, UVICORN, Server, running, wait_until
from tests.sockets.conftest import Person, Team

SLOW_TIMEOUT_S = 1.5
LARGE = "x" * 15_900


@pytest.fixture(scope="module", params=[UVICORN, PLAIN], ids=["uvicorn", "plain"])
def impatient(
    request: pytest.FixtureRequest, installation: Installation, backstage: Backstage
) -> Iterator[Server]:
    """A server that gives up a silent reader after 1.5 s instead of 30; on Daphne none is."""
    server = Server(installation, request.param, WEBSOCKET_SLOW_TIMEOUT=str(SLOW_TIMEOUT_S))
    with running(server) as (found,):
        yield found


Join = Callable[..., Client]


def entered(stack: ExitStack, server: Server, person: Person, *, slow: bool = False) -> Client:
    client = Client(f"{server.ws}/ws", authorization=person.authorization, slow=slow)
    stack.enter_context(client)
    if slow:  # its closing handshake would wait for all that it never read
        stack.callback(lambda: cut(client))
    return client.greeted()


@pytest.fixture
def enter(stack: ExitStack, impatient: Server) -> Join:
    def connect(person: Person, *, slow: bool = False) -> Client:
        return entered(stack, impatient, person, slow=slow)

    return connect


def given_up(server: Server) -> int:
    """How many readers it has lost its patience with."""
    return server.text.count("abandoning")


def post(backstage: Backstage, team: Team, count: int, body: str = "message") -> int:
    return int(
        backstage("post", project=team.project, author=team.owner.id, count=count, body=body)
    )


def test_silent_reader_is_closed_with_4508(
    impatient: Server, enter: Join, backstage: Backstage, team: Team
) -> None:
    """It took no byte for the whole time; waking soon after, it reads what was on its way and why
    it was closed, and resuming it misses nothing."""
    slow, quick = enter(team.viewer, slow=True), enter(team.member)
    opened = slow.ok("subscribe", stream=team.stream)
    quick.ok("subscribe", stream=team.stream)
    before = given_up(impatient)
    last = post(backstage, team, 400, LARGE)
    quick.wait_for_seq(team.stream, last, 20.0)
    wait_until(lambda: given_up(impatient) > before, "the server's patience to end", 10.0)
    code, reason = slow.closed()
    assert (code, reason[:8]) == (4508, "took not")
    seen = slow.seqs(team.stream)
    assert_unbroken(seen, opened["head"] + 1, seen[-1])
    assert seen[-1] < last
    again = enter(team.viewer)
    since = {"epoch": opened["epoch"], "seq": seen[-1]}
    assert again.ok("subscribe", stream=team.stream, since=since)["recovered"] is True
    again.wait_for_seq(team.stream, last, 20.0)
    assert_unbroken(again.seqs(team.stream), seen[-1] + 1, last)
    quick.flushed()


def test_dead_reader_is_let_go(
    impatient: Server, enter: Join, backstage: Backstage, team: Team
) -> None:
    """Regression: a socket whose peer never reads again was never closed, because closing waits
    for the peer to take what is buffered."""
    slow = enter(team.viewer, slow=True)
    slow.ok("subscribe", stream=team.stream)
    server = psutil.Process(impatient.process.pid)
    port = slow.socket.socket.getsockname()[1]

    def held() -> bool:
        return any(one.raddr and one.raddr.port == port for one in server.net_connections("tcp"))

    assert held()
    post(backstage, team, 400, LARGE)
    wait_until(lambda: not held(), "the connection to be cut", 15.0)


def test_reader_that_is_merely_slow_stays(
    impatient: Server, enter: Join, backstage: Backstage, team: Team
) -> None:
    """Whoever takes a little all the time is not silent, however far behind."""
    slow = enter(team.viewer, slow=True)
    start = slow.ok("subscribe", stream=team.stream)["head"]
    last = post(backstage, team, 300, LARGE)
    until = time.monotonic() + 3 * SLOW_TIMEOUT_S
    while time.monotonic() < until:
        for _ in range(3):
            slow.receive()
        time.sleep(0.1)  # its speed, not a wait: about half a megabyte a second
    slow.wait_for_seq(team.stream, last, 20.0)
    assert_unbroken(slow.seqs(team.stream), start + 1, last)


@pytest.mark.parametrize("name", ["uvicorn", "plain"])
def test_trimmed_away_while_catching_up(
    name: str, nodes: dict[str, Server], stack: ExitStack, backstage: Backstage, team: Team
) -> None:
    """What it still missed is gone: the subscription ends, the snapshot is there for it.

    Of 14 MB: the kernel takes six for a peer that reads nothing. On servers of the usual patience:
    on a busy machine it takes seconds to write so much, and the peer reads nothing for as long."""
    slow = entered(stack, nodes[name], team.viewer, slow=True)
    opened = slow.ok("subscribe", stream=team.stream)
    last = post(backstage, team, 900, LARGE)
    backstage("trim", stream=team.stream, floor=last - 5)
    reset = slow.wait_for("stream_reset", 20.0)
    assert reset["reason"] == "trimmed"
    seen = slow.seqs(team.stream)
    assert_unbroken(seen, opened["head"] + 1, seen[-1])
    since = {"epoch": opened["epoch"], "seq": seen[-1]}
    again = slow.ok("subscribe", stream=team.stream, since=since)
    assert (again["recovered"], again["reason"], again["head"]) == (False, "trimmed", last)
    assert again["snapshot"]["messages"]


def test_idle_reader_is_not_slow(enter: Join, team: Team) -> None:
    """Nothing waits for it, so it may take nothing as long as it likes."""
    client = enter(team.member)
    time.sleep(2 * SLOW_TIMEOUT_S)  # the very thing that is tested
    client.flushed()


def test_server_holds_little_for_silent_readers(
    impatient: Server, enter: Join, backstage: Backstage, team: Team
) -> None:
    """8 readers, 6 MB each: what waits for them is in the log, and each socket has its bound."""
    readers = [enter(team.viewer, slow=True) for _ in range(8)]
    for reader in readers:
        reader.ok("subscribe", stream=team.stream)
    server = psutil.Process(impatient.process.pid)
    before, impatience = server.memory_info().rss, given_up(impatient)
    post(backstage, team, 400, LARGE)
    wait_until(lambda: given_up(impatient) - impatience >= len(readers), "all to be given up", 15.0)
    grown = server.memory_info().rss - before
    # Queue, the transport's own buffer, one page in hand; and the ring of 1 MiB, read twice.
    assert grown < len(readers) * 3 * LAGGING_BYTES + 8 * 2**20
