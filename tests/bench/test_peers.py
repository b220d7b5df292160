"""Every peer that is installed here starts, takes two clients into a room, and delivers to both.

The clients do only what the peer's scripts say, as the load generator does.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

from bench.peers.centrifuge import Centrifuge
from bench.peers.daphne_core import DaphneCore
from bench.peers.daphne_pubsub import DaphnePubsub
from bench.peers.peer import BODY, REF, Peer, Place, Script
from bench.peers.socketio_node import SocketioNode
from bench.peers.socketio_python import SocketioPython
from bench.peers.ws import Ws
from tests.faults.valkey import Valkey, running_valkey
from tests.nodes.server import wait_until

ROOT = Path(__file__).parents[2]
TEXT = "~pm~1700000000000000000~000000001~xxxx"
PEERS: list[Peer] = [
    Centrifuge(),
    DaphneCore(),
    DaphnePubsub(),
    SocketioNode(),
    SocketioPython(),
    Ws(),
]


class Guest:
    """A client made of a peer's scripts: joins, publishes, answers what must be answered."""

    def __init__(self, peer: Peer, place: Place, script: Script) -> None:
        self._peer = peer
        self._socket: ClientConnection = connect(
            f"ws://127.0.0.1:{place.port}{script.path}",
            additional_headers=[(name, value) for name, value in map(_header, script.headers)],
            compression=None,
            proxy=None,
            ping_interval=None,
            legacy=True,
        )
        for expected, text in script.steps:
            if expected:
                self.wait_for(expected)
            if text:
                self._socket.send(text)

    def wait_for(self, part: str, timeout_s: float = 10.0) -> str:
        """The next frame with `part` in it."""
        deadline = time.monotonic() + timeout_s
        seen = []
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                frame = self._socket.recv(timeout=left_s)
            except TimeoutError:
                break
            assert isinstance(frame, str), "expected a text frame, got a binary one"
            seen.append(frame)
            for ask, answer in self._peer.answers:
                if frame == ask:
                    self._socket.send(answer)
            if part in frame:
                return frame
        raise AssertionError(f"expected {part!r} within {timeout_s:g} s, got {seen}")

    def publish(self, room: int, text: str) -> None:
        message = self._peer.message(room)
        assert message.count(BODY) == 1
        self._socket.send(message.replace(BODY, text).replace(REF, "ref-1"))

    def close(self) -> None:
        self._socket.close()


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name, value


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with running_valkey(tmp_path_factory.mktemp("valkey")) as started:
        yield started


@pytest.fixture(params=PEERS, ids=lambda peer: peer.name)
def peer(request: pytest.FixtureRequest) -> Peer:
    chosen: Peer = request.param
    if (command := chosen.missing()) is not None:
        pytest.skip(f"{chosen.name} is not installed: {command}")
    return chosen


@pytest.fixture
def place(peer: Peer, valkey: Valkey, tmp_path: Path) -> Iterator[Place]:
    """The peer's server, listening."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    chosen = Place(port, f"redis://127.0.0.1:{valkey.port}/0", tmp_path, sockets=10)
    peer.prepare(chosen)
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            peer.command(chosen),
            env={**os.environ, **peer.variables(chosen)},
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: _accepts(port) or server.poll() is not None, "a port that accepts", 30)
        assert server.poll() is None, (tmp_path / "log").read_text()
        yield chosen
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    assert "Traceback" not in (log_text := (tmp_path / "log").read_text()), log_text


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_peer_delivers_to_everybody_in_the_room_and_to_nobody_else(
    peer: Peer, place: Place
) -> None:
    """Two in the room have the text unchanged; one elsewhere has only what was said there."""
    with ExitStack() as closing:

        def guest(script: Script) -> Guest:
            joined = Guest(peer, place, script)
            closing.callback(joined.close)
            return joined

        members = [guest(peer.reader(number, 7)) for number in range(2)]
        stranger, writer = guest(peer.reader(2, 8)), guest(peer.writer(3, 7))
        elsewhere = guest(peer.writer(4, 8))
        # A layer may be late with the first message of a group: said until it is heard.
        _say_until_heard(writer, members[0], 7)
        members[1].wait_for(TEXT)
        _say_until_heard(elsewhere, stranger, 8, "~pm~1700000000000000000~000000002~")


def _say_until_heard(writer: Guest, member: Guest, room: int, text: str = TEXT) -> None:
    for _ in range(5):
        writer.publish(room, text)
        try:
            frame = member.wait_for("~pm~", 1.0)
        except AssertionError:
            continue
        assert text in frame, f"expected {text!r}, got {frame!r}"
        return
    raise AssertionError(f"expected {text!r} within five tries")


def test_peers_have_names_of_their_own() -> None:
    """The results are kept by name."""
    assert len({peer.name for peer in PEERS}) == len(PEERS)


def test_missing_peer_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where node_modules, the binary or a package is not there, the command is that brings it."""
    monkeypatch.setattr("bench.peers.node._ROOT", tmp_path)
    monkeypatch.setattr("bench.peers.centrifuge._SERVER", tmp_path / "server")
    monkeypatch.setitem(sys.modules, "socketio", None)
    assert "npm ci --prefix bench/peers/node" in (Ws().missing() or "")
    assert "npm ci --prefix bench/peers/node" in (SocketioNode().missing() or "")
    assert "go build -C bench/peers/go" in (Centrifuge().missing() or "")
    assert "requirements-bench.txt" in (SocketioPython().missing() or "")


def test_peer_says_its_versions(peer: Peer) -> None:
    """The report names what was measured."""
    versions = peer.versions()
    assert versions
    assert all(version[0].isdigit() or version[0] == "v" for version in versions.values()), versions
