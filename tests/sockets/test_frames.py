"""What is no command at all, or too much: malformed, oversized and too many frames."""

from contextlib import suppress

from websockets.exceptions import ConnectionClosed

from tests.nodes.backstage import Backstage
from tests.nodes.client import Client, Frame, shaped_error
from tests.sockets.conftest import Join, Team

MAX_FRAME_BYTES = 65_536


def nobody_knows(client: Client, text: str | bytes) -> Frame:
    """Send what has no usable id; the reply, which carries null."""
    before = len(client.frames)
    client.send(text)
    reply = client.wait_for(lambda frame: "reply" in frame, after=before)
    assert reply["reply"] is None
    error: Frame = shaped_error(reply)
    assert error["message"].isprintable()
    return error


def test_malformed_frames_are_bad_requests(join: Join, team: Team) -> None:
    """Not JSON, no object, no usable id, binary; fewer than ten in a row cost nothing."""
    client = join(team.member)
    deep = '{"id":1,"cmd":"ping","x":' + "[" * 30_000 + "]" * 30_000 + "}"
    ids = ("null", "true", '"1"', "1.0", "0", "-1", "[]", "{}", str(2**53 + 1), "9" * 100, "NaN")
    texts: tuple[str | bytes, ...] = (
        *("", " ", "{", "[]", "null", "3", '"x"', "{}", '{"cmd":"ping"}', "{'id':1}", '{"id":1,}'),
        *(f'{{"id":{value},"cmd":"ping"}}' for value in ids),
        *(deep, "[" * 60_000, '{"id":1,"cmd":"\\ud800"}', "\u0000", '{"id":1e999}'),
        *(b"\x00\xff", b'{"id":1,"cmd":"ping"}'),
    )
    for text in texts:
        assert nobody_knows(client, text)["code"] == "bad_request", text[:60]
        client.flushed()  # a command in between: not in a row


def test_ten_malformed_frames_in_a_row_end_the_socket(join: Join, team: Team) -> None:
    """4400 after the tenth; each was answered."""
    client = join(team.member)
    for _ in range(10):
        client.send("{")
    assert client.closed()[0] == 4400
    assert [frame["reply"] for frame in client.frames[1:]] == [None] * 10


def test_lone_surrogates_are_no_text(join: Join, backstage: Backstage, team: Team) -> None:
    """They have no UTF-8, so no frame could carry them to anyone."""
    client = join(team.member)
    for body in ("\\ud800", "x\\udfff", "\\udc00\\ud800"):
        client.send(
            f'{{"id":1,"cmd":"send_message","stream":"{team.stream}",'
            f'"body":"{body}","client_ref":"r"}}'
        )
        reply = client.receive()
        assert shaped_error(reply)["code"] == "bad_request"
    fields = {"stream": team.stream, "client_ref": "pair"}
    assert client.ok("send_message", body="\U0001f600", **fields)["message"]["body"] == "\U0001f600"
    assert backstage("count_messages", project=team.project) == 1


def test_long_bodies_are_too_large(join: Join, backstage: Backstage, team: Team) -> None:
    """16,000 characters pass, one more does not; as a frame above 64 KiB it ends the socket."""
    client = join(team.member)
    fields = {"cmd": "send_message", "stream": team.stream}
    sent = client.ok(**fields, body="x" * 16_000, client_ref="longest")
    assert len(sent["message"]["body"]) == 16_000
    for body in ("x" * 16_001, "x" * 60_000, "\u20ac" * 16_001):
        assert client.error(**fields, body=body, client_ref="long")["code"] == "too_large"
    assert client.error(**fields, body="x", client_ref="r" * 65)["code"] == "too_large"
    client.start(**fields, body="x" * 100_000, client_ref="longer")
    assert client.closed()[0] == 1009
    assert backstage("count_messages", project=team.project) == 1


def test_frames_up_to_the_limit_pass(join: Join, team: Team) -> None:
    """Bytes count, not characters: 64 KiB pass and one more does not."""
    frame = '{"id":1,"cmd":"ping","x":"%s"}'
    room = MAX_FRAME_BYTES - len(frame % "")
    for text, size in (("x" * room, 1), ("\u20ac" * (room // 3), 3)):
        client = join(team.member)
        client.send(frame % text)
        assert client.reply(1)["ok"], size
        client.send(frame % (text + "x" * 3))
        assert client.closed()[0] == 1009, size


def test_fragments_count_together(join: Join, team: Team) -> None:
    """A message may come in fragments; its length is theirs together."""
    client = join(team.member)
    client.socket.send(['{"id":1,', '"cmd":"ping"', "}"])
    assert client.reply(1)["ok"]
    with suppress(ConnectionClosed):  # the server may close before the last fragment is sent
        client.socket.send(["x" * 30_000] * 3)
    assert client.closed()[0] == 1009


def test_invalid_utf8_ends_the_socket(join: Join, team: Team) -> None:
    """1007, as RFC 6455 asks."""
    client = join(team.member)
    client.socket.send(b'{"id":1,"cmd":"\xff"}', text=True)
    assert client.closed()[0] == 1007


def test_flood_is_rate_limited(join: Join, team: Team) -> None:
    """More than 32 waiting: told when to come again; each command gets one reply, none is lost."""
    client = join(team.member)
    count = 300
    started = [client.start("history", stream=team.stream) for _ in range(count)]
    replies = [client.reply(number) for number in started]
    refused = [shaped_error(reply) for reply in replies if not reply["ok"]]
    assert refused
    assert len(replies) - len(refused) >= 32
    for error in refused:
        assert error["code"] == "rate_limited"
        assert error["temporary"] is True
        assert error["retry_after_ms"] > 0
    client.flushed()
    assert len([frame for frame in client.frames if "reply" in frame]) == count + 1
