"""The same bytes to many sockets, in Python and compiled: one contract, over real sockets."""

import shutil
import socket
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.hub import compiling, slices
from realtime.hub.slices import WriteSlice, compiled, write_in_python

DATA = b"\x81\x7e\x01\x00" + bytes(256)  # with zeros: a frame is no C string
LARGE = bytes(4_000_000)  # more than the kernel takes of a peer that does not read

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc)")


def built() -> WriteSlice:
    path = compiling.build()
    assert path is not None
    function = compiled(path)
    assert function is not None
    return function


@pytest.fixture(params=["python", pytest.param("compiled", marks=needs_compiler)])
def write_slice(request: pytest.FixtureRequest) -> WriteSlice:
    return write_in_python if request.param == "python" else built()


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Ours and the peer's, of TCP: SIGPIPE and resets are as with clients."""
    made = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        for _ in range(5):
            peer = socket.create_connection(server.getsockname())
            ours, _ = server.accept()
            ours.setblocking(False)
            peer.settimeout(10)
            made.append((ours, peer))
    yield made
    for pair in made:
        for one in pair:
            one.close()


def numbers(pairs: list[tuple[socket.socket, socket.socket]]) -> "array[int]":
    return array("i", (ours.fileno() for ours, _ in pairs))


def read(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += peer.recv(size - len(data))
    return data


def test_everybody_gets_all_of_it(
    write_slice: WriteSlice, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    """And nothing is said of anybody."""
    assert write_slice(numbers(pairs), DATA) == {}
    assert [read(peer, len(DATA)) for _, peer in pairs] == [DATA] * len(pairs)


def test_full_socket_says_what_it_took_and_the_others_get_all(
    write_slice: WriteSlice, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    """Part of the first frame that does not fit, and nothing of the next."""
    first = write_slice(numbers(pairs[1:2]), LARGE)
    assert list(first) == [0]
    assert 0 < first[0] < len(LARGE)
    assert write_slice(numbers(pairs), DATA) == {1: 0}
    others = [pair for place, pair in enumerate(pairs) if place != 1]
    assert [read(peer, len(DATA)) for _, peer in others] == [DATA] * len(others)
    assert read(pairs[1][1], first[0]) == LARGE[: first[0]]


def test_peer_that_is_gone_costs_nobody_anything(
    write_slice: WriteSlice, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    """Reset, shut and closed sockets take nothing; no signal and no error comes of it."""
    pairs[0][0].shutdown(socket.SHUT_WR)  # EPIPE, and SIGPIPE unless it is turned off
    descriptors = numbers(pairs)
    pairs[3][0].close()  # EBADF
    assert write_slice(descriptors, DATA) == {0: 0, 3: 0}
    for place in (1, 2, 4):
        assert read(pairs[place][1], len(DATA)) == DATA


def test_nobody_is_no_call_at_all(write_slice: WriteSlice) -> None:
    assert write_slice(array("i"), DATA) == {}


def test_python_serves_where_nothing_was_built(tmp_path: Path) -> None:
    """Nor is a file loaded that is no library."""
    assert compiled(tmp_path / "none.so") is None
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"not a library")
    assert compiled(broken) is None


@needs_compiler
def test_build_is_made_once_for_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed source is another file, and takes the place of the one before."""
    source = tmp_path / "slices.c"
    source.write_bytes(compiling.SOURCE.read_bytes())
    monkeypatch.setattr(compiling, "SOURCE", source)
    monkeypatch.setattr(compiling, "BUILT", tmp_path / ".built")
    first = compiling.build()
    assert first is not None
    made_at = first.stat().st_mtime_ns
    assert compiling.build() == first
    assert first.stat().st_mtime_ns == made_at
    source.write_text(source.read_text() + "/* changed */\n")
    second = compiling.build()
    assert [*(tmp_path / ".built").iterdir()] == [second]
    assert second != first


def test_no_compiler_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make run` goes on; it is said that the loop is Python's."""
    monkeypatch.setattr(compiling, "BUILT", tmp_path / ".built")
    monkeypatch.setenv("PATH", "")
    compiling.main()
    assert "in Python" in capsys.readouterr().err


def test_what_is_used_is_what_was_found() -> None:
    assert slices.is_compiled == (slices.write_slice is not write_in_python)
