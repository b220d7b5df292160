"""Whatever comes in at a socket: the server stays up, and answers only what the protocol names."""

import json
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode

from realtime.protocol.catalogue import CATALOGUE
from tests.nodes.client import Client, Frame, shaped_error
from tests.nodes.raw import RawSocket, frames_of
from tests.nodes.server import Server
from tests.sockets.conftest import Team

# The document's, section 6, but for `internal`, which is a fault of ours.
ERROR_CODES = frozenset(
    {
        *("bad_request", "unknown_command", "unauthorized", "forbidden", "not_found", "too_large"),
        *("rate_limited", "conflict", "not_subscribed", "limit_reached", "unavailable"),
    }
)
# Likewise, and 1002, which RFC 6455 has for broken frames.
CLOSE_CODES = frozenset({1002, 1007, 1009, 4400, 4401, 4403, 4409, 4503, 4508, 4529})
CONTROL = frozenset({"authentication_success", "heartbeat", "stream_reset"})


def fuzzed(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.fixture(autouse=True)
def alive(node: Server) -> Iterator[None]:
    """Serving afterwards, and no fault of ours in the log."""
    yield
    assert node.request("GET", "/health/ready").status_code == 200
    assert not node.traceback, node.traceback


# What a server may say


def judge(frame: Frame) -> None:
    """Raises AssertionError for what the protocol document does not name."""
    if "reply" in frame:
        if frame["ok"]:
            assert set(frame) == {"reply", "ok", "data"}, frame
        else:
            assert shaped_error(frame)["code"] in ERROR_CODES, frame
    else:
        assert frame["type"] in CATALOGUE or frame["type"] in CONTROL, frame


def judge_bytes(received: bytes, *, may_echo: Sequence[bytes] = ()) -> None:
    """`may_echo` are the contents of closes that the client sent; RFC 6455 (section 5.5.1) has
    them echoed as a rule, and 1000 is an answer too."""
    for frame in frames_of(received):
        if frame.opcode is Opcode.TEXT:
            assert frame.fin
            judge(json.loads(bytes(frame.data)))
        elif frame.opcode is Opcode.CLOSE:
            code, reason = bytes(frame.data[:2]), bytes(frame.data[2:]).decode()
            echoed = {one[:2] for one in may_echo} | ({b"\x03\xe8"} if may_echo else set())
            if code not in echoed:
                assert struct.unpack("!H", code)[0] in CLOSE_CODES, frame
                assert reason.isprintable()
        else:
            assert frame.opcode in {Opcode.PING, Opcode.PONG}, frame


# Bytes and frames


@dataclass(frozen=True)
class Sent:
    """A frame as a client may send it, or nearly so. `lie` is what its length is wrong by."""

    opcode: int
    payload: bytes
    fin: bool
    reserved: int
    mask: bytes | None
    lie: int

    @property
    def bytes(self) -> bytes:
        length, masked = max(0, len(self.payload) + self.lie), 0x80 if self.mask else 0
        head = bytes([self.fin << 7 | self.reserved << 4 | self.opcode])
        if length < 126:
            head += bytes([masked | length])
        elif length < 65_536:
            head += struct.pack("!BH", masked | 126, length)
        else:
            head += struct.pack("!BQ", masked | 127, length)
        if self.mask is None:
            return head + self.payload
        key = self.mask * (len(self.payload) // 4 + 1)
        data = bytes(one ^ other for one, other in zip(self.payload, key, strict=False))
        return head + self.mask + data


def mostly(usual: Any, strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda number: strategy if number == 0 else st.just(usual))


CLOSES = st.builds(
    lambda code, reason: struct.pack("!H", code) + reason.encode()[:123],
    st.integers(0, 5_000),
    st.text(max_size=60),
)
PAYLOADS = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=100).map(str.encode),
    st.sampled_from([b'{"id":1,"cmd":"ping"}', b'{"id":1,"cmd":', b"{}", b"", b"\xff", b"x" * 126]),
    CLOSES,
)
FRAMES = st.builds(
    Sent,
    opcode=st.one_of(st.sampled_from([0, 1, 1, 1, 2, 8, 9, 10]), st.integers(0, 15)),
    payload=PAYLOADS,
    fin=mostly(True, st.booleans()),
    reserved=mostly(0, st.integers(0, 7)),
    mask=mostly(b"\x01\x02\x03\x04", st.one_of(st.none(), st.binary(min_size=4, max_size=4))),
    lie=mostly(0, st.one_of(st.integers(-5, 300), st.sampled_from([65_535, 2**31, 2**62]))),
)


def in_pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


CUTS = st.lists(st.integers(0, 2_000), max_size=4)


@fuzzed(25)
@given(data=st.binary(max_size=400), cuts=CUTS)
def test_bytes_that_are_no_handshake(node: Server, data: bytes, cuts: list[int]) -> None:
    """An HTTP refusal or nothing, and the end of the connection."""
    raw = RawSocket(node.http)
    raw.send(in_pieces(data, cuts))
    received = raw.read_all()
    assert received == b"" or received.startswith(b"HTTP/1.1 4"), received


@fuzzed(25)
@given(data=st.binary(min_size=1, max_size=400), cuts=CUTS)
def test_bytes_that_are_no_frames(node: Server, team: Team, data: bytes, cuts: list[int]) -> None:
    """Behind a proper handshake; whatever these bytes say as frames."""
    raw = RawSocket(node.http)
    raw.upgrade(team.member.authorization)
    raw.send(in_pieces(data, cuts))
    judge_bytes(raw.read_all())


@fuzzed(60)
@given(frames=st.lists(FRAMES, min_size=1, max_size=6), cuts=CUTS)
def test_frames_of_any_kind(node: Server, team: Team, frames: list[Sent], cuts: list[int]) -> None:
    """Right and wrong ones, in the middle of each other, cut into pieces, cut off."""
    raw = RawSocket(node.http)
    raw.upgrade(team.member.authorization)
    raw.send(in_pieces(b"".join(frame.bytes for frame in frames), cuts))
    closes = [frame.payload for frame in frames if frame.opcode == Opcode.CLOSE]
    judge_bytes(raw.read_all(), may_echo=closes)


# Commands

_ids = count(1_000)  # apart from those of `Client` itself
NAMES = (
    *("authenticate", "refresh", "subscribe", "unsubscribe", "history", "ack", "send_message"),
    *("edit_message", "delete_message", "mark_read", "typing", "run", "cancel_run", "presence"),
    "ping",
)
FIELDS = (
    *("stream", "since", "snapshot", "before", "limit", "cursors", "body", "client_ref", "on"),
    *("reply_to", "ask_ai", "message", "seq", "run", "ticket", "token", "epoch", "state", "x"),
)
_ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-2, 5),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30),
    st.sampled_from(["PROJECT", "USER", "system", "status", "project.0", "project.1e9", "user.-1"]),
    st.sampled_from(["x" * 20_000, "\x00", "\u202e"]),
)
VALUES = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(FIELDS), st.text(max_size=5)), inner, max_size=3),
    ),
    max_leaves=6,
)
COMMANDS = st.builds(
    lambda name, fields, stream: {**({"stream": "PROJECT"} if stream else {}), **fields, **name},
    st.one_of(st.sampled_from(NAMES), VALUES).map(lambda name: {"cmd": name}),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5),
    st.booleans(),
)


def placed(value: Any, team: Team) -> Any:
    """The words that stand for streams of the test's own, replaced."""
    if isinstance(value, str):
        return {"PROJECT": team.stream, "USER": team.member.stream}.get(value, value)
    if isinstance(value, list):
        return [placed(one, team) for one in value]
    if isinstance(value, dict):
        return {placed(key, team): placed(one, team) for key, one in value.items()}
    return value


@fuzzed(60)
@given(commands=st.lists(COMMANDS, min_size=1, max_size=6))
def test_commands_of_any_kind(node: Server, team: Team, commands: list[Any]) -> None:
    """Each has exactly one reply, unless the socket was closed with a code that says why."""
    with Client(node.ws + "/ws", authorization=team.member.authorization) as client:
        client.greeted()
        sent = [{**placed(command, team), "id": next(_ids)} for command in commands]
        try:
            for command in sent:
                client.send(json.dumps(command))
            for command in sent:
                client.reply(command["id"])
            client.flushed()
        except ConnectionClosed:
            assert client.closed()[0] in CLOSE_CODES
        replied = [frame["reply"] for frame in client.frames if "reply" in frame]
        assert len(replied) == len(set(replied))
        for frame in [*client.frames, *client.heartbeats]:
            judge(frame)
        with suppress(ConnectionClosed):
            client.send("{")  # and it still answers, or has said that it will not
            assert client.reply(None)["error"]["code"] == "bad_request"
