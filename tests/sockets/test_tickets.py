"""Sockets that come by ticket, on every server: once, in time, and as whom it was made."""

import json
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.nodes.backstage import Backstage
from tests.nodes.client import Client, shaped_error
from tests.nodes.server import Server
from tests.sockets.conftest import ALLOWED_ORIGINS, Join, Person, Team

ORIGIN = ALLOWED_ORIGINS[0]
PATH = "/api/websocket/tickets"


def ticket_of(node: Server, authorization: str) -> str:
    issued = node.request("POST", PATH, authorization=authorization)
    assert issued.status_code == 201, issued.text
    return str(issued.json()["ticket"])


def client_by(
    stack: ExitStack, node: Server, ticket: str, path: str = "/ws", **options: Any
) -> Client:
    """An ungreeted socket that offers the ticket."""
    offered = ("pm.v1", f"pm.ticket.{ticket}")
    options = {"origin": ORIGIN, "subprotocols": offered, **options}
    return stack.enter_context(Client(node.ws + path, **options))


def nobody(stack: ExitStack, node: Server, path: str = "/ws") -> Client:
    """A socket that has still to say who it is."""
    return stack.enter_context(Client(node.ws + path, origin=ORIGIN))


def refused(client: Client) -> int:
    """The code of the close; the server said nothing before it."""
    code, _ = client.closed()
    assert client.frames == []
    return code


def test_ticket_opens_one_socket(
    node: Server, stack: ExitStack, person: Callable[..., Person]
) -> None:
    """Only `pm.v1` is selected, and a second use is refused so that a client gets another one."""
    ada = person()
    issued = node.request("POST", PATH, authorization=ada.authorization)
    assert issued.status_code == 201
    assert issued.headers["Cache-Control"] == "no-store"
    ticket = issued.json()["ticket"]
    assert issued.json() == {"ticket": ticket, "expires_in_s": 30}
    client = client_by(stack, node, ticket).greeted()
    assert client.socket.subprotocol == "pm.v1"
    assert client.frames[0]["data"]["user"] == {"id": ada.id, "name": "Ada"}
    assert refused(client_by(stack, node, ticket)) == 4401
    alone = ticket_of(node, ada.authorization)
    by_itself = client_by(stack, node, alone, subprotocols=(f"pm.ticket.{alone}",)).greeted()
    assert by_itself.socket.subprotocol is None
    assert ticket not in node.text
    assert alone not in node.text


def test_ticket_is_good_on_any_node(
    nodes: dict[str, Server], stack: ExitStack, person: Callable[..., Person]
) -> None:
    """And on one of them only, however many are asked."""
    ada = person()
    ticket = ticket_of(nodes["uvicorn"], ada.authorization)
    clients = [client_by(stack, node, ticket) for node in nodes.values()]
    let_in = []
    for client in clients:
        with suppress(ConnectionClosed):
            let_in.append(client.greeted())
    assert len(let_in) == 1
    assert [refused(client) for client in clients if client not in let_in] == [4401, 4401]


def test_session_and_its_end_stand_behind_the_ticket(
    node: Server, stack: ExitStack, backstage: Backstage, person: Callable[..., Person]
) -> None:
    """The greeting says when that session ends, by cookie (with its CSRF token) or as Bearer."""
    ada = person()
    session = backstage("session", user=ada.id, age_s=1000)
    cookies = {"sessionid": session["token"], "csrftoken": "a" * 32}
    without = httpx.post(node.http + PATH, cookies=cookies)
    assert without.status_code == 403
    assert without.json()["code"] == "forbidden"
    csrf = {"X-CSRFToken": "a" * 32}
    issued = httpx.post(node.http + PATH, cookies=cookies, headers=csrf)
    assert issued.status_code == 201
    tickets = [issued.json()["ticket"], ticket_of(node, f"Bearer {session['token']}")]
    for ticket in tickets:
        told = client_by(stack, node, ticket).greeted().frames[0]["data"]["expires_at"]
        assert told[:19] == session["expires_at"][:19]
    plain = client_by(stack, node, ticket_of(node, ada.authorization)).greeted()
    assert plain.frames[0]["data"]["expires_at"] is None


def test_who_may_not_sign_in_gets_no_ticket(
    node: Server, backstage: Backstage, person: Callable[..., Person]
) -> None:
    """Problem details, as everywhere in the API."""
    ada = person()
    backstage("revoke_key", text=ada.key)
    for authorization in ("", "Api-Key wrong", "Bearer wrong", "x", ada.authorization):
        answer = node.request("POST", PATH, authorization=authorization)
        assert answer.status_code == 401, authorization
        assert answer.json()["code"] == "unauthorized"
        assert answer.headers["WWW-Authenticate"]
    assert node.request("GET", PATH, authorization=ada.authorization).status_code == 405


def test_origin_counts_before_the_ticket(
    node: Server, stack: ExitStack, person: Callable[..., Person]
) -> None:
    """From another site it is refused untouched, so that its owner can still use it."""
    ticket = ticket_of(node, person().authorization)
    for origin in ("https://evil.example", "null", None):
        assert refused(client_by(stack, node, ticket, origin=origin)) == 4403
    client_by(stack, node, ticket, origin=node.http).greeted()


def test_what_is_no_ticket_is_refused(
    node: Server, stack: ExitStack, person: Callable[..., Person]
) -> None:
    """Of any length; the cookie is no way around it, and a header wins over it."""
    ada = person()
    for wrong in ("x", "pmt_" + "x" * 43, "pmt_" + "x" * 44, "x" * 2000, ada.key):
        assert refused(client_by(stack, node, wrong)) == 4401, wrong
    ticket = ticket_of(node, ada.authorization)
    client_by(stack, node, "wrong", authorization=ada.authorization).greeted()
    assert refused(client_by(stack, node, ticket, authorization="Api-Key wrong")) == 4401
    client_by(stack, node, ticket).greeted()


def test_header_of_ten_thousand_characters_is_answered(
    nodes: dict[str, Server], stack: ExitStack
) -> None:
    """It was refused without a word, and the connection stayed. (uvicorn's own class leaves it so.)

    Its lines may have 8 KiB; where more is allowed it is just another wrong ticket.
    """
    with pytest.raises(InvalidStatus) as caught:
        client_by(stack, nodes["uvicorn"], "x" * 10_000)
    assert caught.value.response.status_code in {400, 431}
    assert refused(client_by(stack, nodes["daphne"], "x" * 10_000)) == 4401


@pytest.mark.parametrize("end", ["logout", "revoke_key", "deactivate"])
def test_what_ended_after_the_ticket_was_made_lets_nobody_stay(
    node: Server,
    stack: ExitStack,
    backstage: Backstage,
    person: Callable[..., Person],
    end: str,
) -> None:
    """Refused where the node has heard of it, else closed a moment after the greeting."""
    ada = person()
    token = backstage("session", user=ada.id)["token"]
    authorization = f"Bearer {token}" if end == "logout" else ada.authorization
    tickets = [ticket_of(node, authorization) for _ in range(2)]
    if end == "logout":
        node.request("DELETE", "/api/sessions/", authorization=authorization)
    elif end == "revoke_key":
        backstage("revoke_key", text=ada.key)
    else:
        backstage("deactivate", user=ada.id)
    assert client_by(stack, node, tickets[0]).closed()[0] in {4401, 4409}
    assert refused(client_by(stack, node, tickets[1])) == 4401


def test_open_socket_by_ticket_ends_with_its_credential(
    node: Server, stack: ExitStack, backstage: Backstage, person: Callable[..., Person]
) -> None:
    """With the key that it was made by, and with no other."""
    ada = person()
    other = backstage("key", user=ada.id)
    ends = client_by(stack, node, ticket_of(node, ada.authorization)).greeted()
    stays = client_by(stack, node, ticket_of(node, f"Api-Key {other}")).greeted()
    backstage("revoke_key", text=ada.key)
    assert ends.closed(8.0)[0] == 4409
    stays.ok("ping")


def test_authenticate_is_the_first_command_of_who_came_without_credentials(
    node: Server, stack: ExitStack, team: Team
) -> None:
    """The greeting is the first frame, then the reply with the same data, then what the path
    implies; commands sent behind it are carried out."""
    client = nobody(stack, node, f"/ws/projects/{team.project}?snapshot=1")
    ticket = ticket_of(node, team.member.authorization)
    client.send(json.dumps({"id": 7, "cmd": "authenticate", "ticket": ticket}))
    client.send(json.dumps({"id": 8, "cmd": "subscribe", "stream": "system"}))
    client.send(json.dumps({"id": 9, "cmd": "ping"}))
    client.greeted()
    assert client.reply(9)["ok"]
    greeting, reply, implied, second = client.frames[:4]
    assert reply == {"reply": 7, "ok": True, "data": greeting["data"]}
    assert greeting["data"]["user"]["id"] == team.member.id
    assert implied["reply"] == 0
    assert implied["data"]["snapshot"]
    assert second["data"]["stream"] == "system"
    client.ok("send_message", stream=team.stream, body="here", client_ref="one")


def test_any_other_first_command_is_refused(
    node: Server, stack: ExitStack, person: Callable[..., Person]
) -> None:
    """Answered, then closed; what is no command at all is the client's own fault."""
    used = ticket_of(node, person().authorization)
    client_by(stack, node, used).greeted()
    for command in (
        {"cmd": "ping"},
        {"cmd": "subscribe", "stream": "system"},
        {},
        {"cmd": "authenticate", "ticket": "x" * 10_000},
        {"cmd": "authenticate", "ticket": used},
    ):
        client = nobody(stack, node)
        client.send(json.dumps({"id": 1, **command}))
        assert client.closed()[0] == 4401, command
        (reply,) = client.frames
        assert shaped_error(reply)["code"] == "unauthorized"
        assert used not in str(reply)
    for text, number in (
        ('{"id":1,"cmd":"authenticate"}', 1),
        ('{"cmd":"authenticate"}', None),
        ("x", None),
        (b"x", None),
    ):
        client = nobody(stack, node)
        client.send(text)
        assert client.closed()[0] == 4400, text
        (reply,) = client.frames
        assert reply["reply"] == number
        assert shaped_error(reply)["code"] == "bad_request"


def test_who_says_nothing_is_closed_after_five_seconds(
    nodes: dict[str, Server], stack: ExitStack
) -> None:
    """On every server at once; strange cookies are no credentials, and nothing else is sent."""
    cookies = (None, "===;;=", "other=1")
    clients = [
        stack.enter_context(Client(node.ws + "/ws", origin=ORIGIN, cookie=cookie))
        for node, cookie in zip(nodes.values(), cookies, strict=True)
    ]
    for client in clients:
        assert client.closed(15.0)[0] == 4401
        assert client.frames == []


def test_refresh_and_authenticate_go_on_with_a_ticket(
    node: Server,
    join: Join,
    backstage: Backstage,
    person: Callable[..., Person],
) -> None:
    """Of the same person, without a drop: from then on the other credential counts. A ticket of
    somebody else is refused, and is used up."""
    ada, bob = person(), person(name="Bob")
    session = backstage("session", user=ada.id, age_s=1000)
    for cmd, field in (("refresh", "token"), ("authenticate", "ticket")):
        client = join(ada)
        foreign = ticket_of(node, bob.authorization)
        assert client.error(cmd, **{field: foreign})["code"] == "forbidden"
        assert client.error(cmd, **{field: foreign})["code"] == "unauthorized"
        data = client.ok(cmd, **{field: ticket_of(node, f"Bearer {session['token']}")})
        assert data["expires_at"][:19] == session["expires_at"][:19]
        if cmd == "authenticate":
            assert data["user"] == {"id": ada.id, "name": "Ada"}
        assert client.error(cmd, **{field: "x" * 10_000})["code"] == "unauthorized"
        client.ok("ping")
    last = join(ada)
    last.ok("refresh", token=ticket_of(node, f"Bearer {session['token']}"))
    node.request("DELETE", "/api/sessions/", authorization=f"Bearer {session['token']}")
    assert last.closed(8.0)[0] == 4409
