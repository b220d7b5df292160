"""Who may open a socket, what is said first, and how a refusal looks."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from typing import Any

from tests.nodes.backstage import Backstage
from tests.nodes.client import Client, shaped_error
from tests.nodes.server import Server
from tests.sockets.conftest import ALLOWED_ORIGINS, Join, Person, Team

WIRE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def refusal(stack: ExitStack, url: str, **options: Any) -> int:
    """The code of a handshake that is accepted and closed, nothing else having been sent."""
    client = stack.enter_context(Client(url, **options))
    code, _ = client.closed()
    assert client.frames == []
    return code


def cookie_of(backstage: Backstage, person: Person) -> str:
    return f"sessionid={backstage('session', user=person.id)['token']}"


def test_greeting_has_exactly_the_shape_of_the_document(
    node: Server, join: Join, person: Callable[..., Person]
) -> None:
    """First of all frames, on a socket of which nothing else was asked."""
    ada = person()
    client = join(ada)
    (greeting,) = client.frames
    data = greeting.pop("data")
    assert greeting == {"type": "authentication_success"}
    assert WIRE_TIME.fullmatch(data.pop("server_time"))
    assert re.fullmatch("[0-9a-f]{14}", data.pop("connection"))
    assert data == {
        "user": {"id": ada.id, "name": "Ada"},
        "heartbeat_s": 1,
        "expires_at": None,
        "protocol": "pm.v1",
    }


def test_subprotocol_is_selected_when_offered_only(
    join: Join, person: Callable[..., Person]
) -> None:
    """RFC 6455: a server may only select what was offered."""
    ada = person()
    assert join(ada, subprotocols=("other", "pm.v1")).socket.subprotocol == "pm.v1"
    assert join(ada, subprotocols=("other",)).socket.subprotocol is None
    assert join(ada, subprotocols=()).socket.subprotocol is None


def test_session_cookie_is_accepted_from_the_own_origin(
    node: Server, join: Join, backstage: Backstage, person: Callable[..., Person]
) -> None:
    """As a browser on the site's own page does it; the greeting says when the session ends."""
    ada = person()
    session = backstage("session", user=ada.id, age_s=1000)
    cookie = f"csrftoken=x; sessionid={session['token']}"
    client = join(ada, authorization=None, cookie=cookie, origin=node.http)
    data = client.frames[0]["data"]
    assert data["user"]["id"] == ada.id
    told, stored = map(datetime.fromisoformat, (data["expires_at"], session["expires_at"]))
    assert abs((told - stored).total_seconds()) < 0.01


def test_origins_on_the_allow_list_are_accepted(
    join: Join, backstage: Backstage, person: Callable[..., Person]
) -> None:
    """WEBSOCKET_CORS_ORIGINS names pages of other sites; case does not count in them."""
    ada = person()
    cookie = cookie_of(backstage, ada)
    for origin in (*ALLOWED_ORIGINS, ALLOWED_ORIGINS[0].upper()):
        join(ada, authorization=None, cookie=cookie, origin=origin)


def test_other_origins_are_refused_whatever_the_credentials(
    node: Server, stack: ExitStack, backstage: Backstage, person: Callable[..., Person]
) -> None:
    """Scheme, host and port all count; `null` is what sandboxed and local pages send."""
    ada = person()
    cookie = cookie_of(backstage, ada)
    host = node.http.removeprefix("http://")
    port = host.rpartition(":")[2]
    for origin in (
        "null",
        "http://evil.example",
        f"https://{host}",
        f"http://localhost:{port}",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        f"http://127.0.0.1.evil.example:{port}",
        f"http://evil.example@{host}",
        "http://app.example.org",
        "https://app.example.org:8443",
        "http://localhost",
    ):
        assert refusal(stack, f"{node.ws}/ws", cookie=cookie, origin=origin) == 4403, origin
    assert refusal(stack, f"{node.ws}/ws", cookie=cookie) == 4403
    for origin in ("null", "http://evil.example"):
        options = {"authorization": ada.authorization, "origin": origin}
        assert refusal(stack, f"{node.ws}/ws", **options) == 4403


def test_host_that_is_not_ours_is_no_own_origin(
    node: Server, stack: ExitStack, backstage: Backstage, person: Callable[..., Person]
) -> None:
    """To a browser a name rebound to this address is its own origin; ALLOWED_HOSTS decides."""
    ada = person()
    port = node.http.rpartition(":")[2]
    url = f"ws://evil.example:{port}/ws"
    options: dict[str, Any] = {"cookie": cookie_of(backstage, ada), "reach": "127.0.0.1"}
    assert refusal(stack, url, origin=f"http://evil.example:{port}", **options) == 4403


def test_program_is_accepted_by_key_and_by_bearer_token(
    node: Server, join: Join, person: Callable[..., Person]
) -> None:
    """A token comes from POST /api/sessions/; the scheme's case does not count (RFC 9110)."""
    ada = person(password="correct horse")
    join(ada, authorization=f"api-key {ada.key}")
    credentials = {"username": ada.username, "password": "correct horse"}
    opened = node.request("POST", "/api/sessions/", json=credentials)
    assert opened.status_code == 201
    client = join(ada, authorization=f"Bearer {opened.json()['token']}")
    told, given = client.frames[0]["data"]["expires_at"], opened.json()["expires_at"]
    difference = datetime.fromisoformat(told) - datetime.fromisoformat(given)
    assert abs(difference.total_seconds()) < 1


def test_wrong_credentials_are_accepted_then_closed(
    node: Server, stack: ExitStack, backstage: Backstage, person: Callable[..., Person]
) -> None:
    """4401 after the accept, so that a browser can see why."""
    ada = person()
    ended, off = person(), person()
    backstage("revoke_key", text=ended.key)
    backstage("deactivate", user=off.id)
    past = backstage("session", user=ada.id, age_s=-1)["token"]
    for authorization in (
        "Api-Key wrong",
        "Api-Key",
        "Api-Key ",
        "Bearer wrong",
        f"Bearer {ada.key}",
        f"Bearer {past}",
        "Bearer " + "x" * 4000,
        "Basic YWRhOmFkYQ==",
        "x",
        ended.authorization,
        off.authorization,
    ):
        assert refusal(stack, f"{node.ws}/ws", authorization=authorization) == 4401, authorization
    for cookie in ("sessionid=wrong", "sessionid=", f"sessionid={past}"):
        assert refusal(stack, f"{node.ws}/ws", cookie=cookie, origin=node.http) == 4401, cookie


def test_header_wins_over_the_cookie(
    node: Server, join: Join, stack: ExitStack, backstage: Backstage, person: Callable[..., Person]
) -> None:
    """A wrong header never falls through to whoever the cookie is."""
    ada, bob = person(), person(name="Bob")
    cookie = cookie_of(backstage, bob)
    assert join(ada, cookie=cookie).frames[0]["data"]["user"]["id"] == ada.id
    assert refusal(stack, f"{node.ws}/ws", cookie=cookie, authorization="Api-Key wrong") == 4401


def test_project_path_is_subscribed_already(join: Join, backstage: Backstage, team: Team) -> None:
    """Its reply has id 0; `since` and `snapshot` come from the query, live events follow."""
    path = f"/ws/projects/{team.project}"
    client = join(team.member, path)
    plain = client.reply(0)
    assert set(plain) == {"reply", "ok", "data"}
    head = backstage("head", stream=team.stream)
    epoch = plain["data"].pop("epoch")
    presence = plain["data"].pop("presence")
    assert presence is None or presence["users"]  # None where the store is slower than a command
    assert plain["data"] == {"stream": team.stream, "head": head}
    backstage("post", project=team.project, author=team.owner.id, count=1)
    client.wait_for_seq(team.stream, head + 1)

    resumed = join(team.member, f"{path}/?since={epoch}:1")
    assert resumed.reply(0)["data"]["recovered"] is True
    resumed.wait_for_seq(team.stream, head + 1)
    assert resumed.seqs(team.stream) == list(range(2, head + 2))

    fresh = join(team.member, f"{path}?snapshot=1").reply(0)["data"]
    assert [one["body"] for one in fresh["snapshot"]["messages"]] == ["message 0"]
    assert "snapshot" not in join(team.member, f"{path}?snapshot=0").reply(0)["data"]


def test_bad_position_in_the_path_is_a_bad_request(join: Join, team: Team) -> None:
    """4400: the client's own fault, which a retry would not mend."""
    for since in ("", "x", "x:", ":1", "x:-1", "x:1.5", "X:1", "x:1:2", "x:" + "9" * 30, "x:%F0"):
        client = join(team.member, f"/ws/projects/{team.project}?since={since}")
        assert client.closed()[0] == 4400, since


def test_foreign_project_in_the_path_is_forbidden(join: Join, team: Team) -> None:
    """The same for one that does not exist, and the reply says it before the close."""
    answers = []
    for project in (team.project, 999_999_999, 10**17):
        client = join(team.stranger, f"/ws/projects/{project}?snapshot=1")
        assert client.closed()[0] == 4403
        answers.append(shaped_error(client.reply(0)))
    assert answers[0]["code"] == "forbidden"
    assert answers == answers[:1] * 3


def test_status_is_for_operators(join: Join, person: Callable[..., Person]) -> None:
    """Staff and those with the permission; everyone else is refused as from a foreign project."""
    for operator in (person(staff=True), person(permission="status.view_status")):
        assert join(operator, "/ws/status").reply(0)["data"]["stream"] == "status"
    client = join(person(), "/ws/status")
    assert client.closed()[0] == 4403
    assert shaped_error(client.reply(0))["code"] == "forbidden"


def test_unknown_paths_are_refused(
    node: Server, stack: ExitStack, person: Callable[..., Person]
) -> None:
    """Accepted and closed, without a stack trace in the log (asserted when the servers stop)."""
    authorization = person().authorization
    for path in (
        "/",
        "/wsx",
        "/ws/projects/",
        "/ws/projects/0",
        "/ws/projects/x",
        "/ws/projects/-1",
    ):
        url = node.ws + path
        assert refusal(stack, url, authorization=authorization) == 4403, path
    assert refusal(stack, f"{node.ws}/ws/projects/{'9' * 40}", authorization=authorization) == 4403
