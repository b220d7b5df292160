"""A read that is one whole text frame is understood without a parser, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, State

from realtime.server.client_frames import is_pong, whole_text
from realtime.server.parser import Parser

MAX_BYTES = 100_000


def sent(payload: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    """The bytes of a client's frame."""
    return Frame(opcode, payload, fin).serialize(mask=True)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, MAX_BYTES])
def test_a_whole_text_is_unmasked(length: int) -> None:
    """Whichever way its length is told."""
    payload = bytes(number % 251 for number in range(length))
    assert whole_text(sent(payload), MAX_BYTES) == payload


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x81", id="a first byte"),
        pytest.param(sent(b"hello")[:-1], id="not all of it"),
        pytest.param(sent(b"x" * 126)[:5], id="not all of the header"),
        pytest.param(sent(b"hello") + b"\x81", id="more behind it"),
        pytest.param(sent(b"one") + sent(b"two"), id="two frames"),
        pytest.param(sent(b"hello", Opcode.BINARY), id="binary"),
        pytest.param(sent(b"hello", Opcode.PING), id="ping"),
        pytest.param(sent(b"\x03\xe8", Opcode.CLOSE), id="close"),
        pytest.param(sent(b"hel", fin=False), id="a fragment"),
        pytest.param(sent(b"lo", Opcode.CONT), id="a continuation"),
        pytest.param(b"\xc1" + sent(b"hello")[1:], id="compressed"),
        pytest.param(Frame(Opcode.TEXT, b"hello").serialize(mask=False), id="not masked"),
        pytest.param(b"\x81\xfe\x00\x05" + sent(b"hello")[2:], id="2 bytes for a short length"),
        pytest.param(
            b"\x81\xff" + bytes(7) + b"\x05" + sent(b"hello")[2:], id="8 bytes for a short length"
        ),
        pytest.param(b"\x81\xff" + b"\xff" * 8 + bytes(4), id="an impossible length"),
        pytest.param(sent(b"x" * (MAX_BYTES + 1)), id="too long"),
    ],
)
def test_anything_else_is_left_to_the_parser(data: bytes) -> None:
    """It knows what to answer."""
    assert whole_text(data, MAX_BYTES) is None


@pytest.mark.parametrize("length", [0, 4, 125])
def test_a_pong_is_nobodys_business(length: int) -> None:
    """The library's parser says the same: a frame, and nothing to answer."""
    data = sent(b"x" * length, Opcode.PONG)
    assert is_pong(data)
    parser = Parser(SERVER, state=State.OPEN, max_size=MAX_BYTES)
    parser.receive_data(data)
    (frame,) = parser.events_received()
    assert isinstance(frame, Frame)
    assert frame.opcode is Opcode.PONG
    assert parser.data_to_send() == []


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x8a", id="a first byte"),
        pytest.param(sent(b"ping", Opcode.PONG)[:-1], id="not all of it"),
        pytest.param(sent(b"ping", Opcode.PONG) + b"\x81", id="more behind it"),
        pytest.param(sent(b"ping", Opcode.PING), id="ping"),
        pytest.param(sent(b"ping"), id="text"),
        pytest.param(b"\x0a" + sent(b"ping", Opcode.PONG)[1:], id="a fragment"),
        pytest.param(Frame(Opcode.PONG, b"hello!").serialize(mask=False), id="not masked"),
        pytest.param(b"\x8a\xfe\x00\x7e" + bytes(4 + 126), id="too long"),
    ],
)
def test_what_is_no_pong_is_left_to_the_parser(data: bytes) -> None:
    """It knows what to answer."""
    assert not is_pong(data)


@given(st.binary(max_size=300), st.integers(0, 3), st.binary(max_size=14))
def test_what_is_understood_is_what_the_parser_says(
    payload: bytes, broken: int, noise: bytes
) -> None:
    """Of whole frames, and of frames whose beginning is not what it should be."""
    data = sent(payload)
    if broken:
        data = (noise + data[len(noise) :])[: len(data) + broken - 2]
    found = whole_text(data, MAX_BYTES)
    if not broken:
        assert found == payload
    if found is not None:
        parser = Parser(SERVER, state=State.OPEN, max_size=MAX_BYTES)
        parser.receive_data(data)
        (frame,) = parser.events_received()
        assert isinstance(frame, Frame)
        assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.TEXT, True, found)
