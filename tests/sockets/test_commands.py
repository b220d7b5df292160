"""What commands accept and how they refuse: the reply names the fault, and the socket stays."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from tests.nodes.backstage import Backstage
from tests.nodes.client import Client, shaped_error
from tests.nodes.server import Server
from tests.sockets.conftest import Join, Person, Team

HUGE = 2**70
NO_TEXT: tuple[Any, ...] = (None, True, 3, 1.5, [], {}, ["x"])
NO_EPOCH: tuple[Any, ...] = (*NO_TEXT, "", "X", "a b", "a" * 100)
NO_SEQ: tuple[Any, ...] = (None, True, "1", 1.5, -1, [], {}, HUGE)
NO_ID: tuple[Any, ...] = (None, True, "1", 1.5, [], {}, 0, -1)
NO_STREAM: tuple[Any, ...] = (
    *NO_TEXT,
    "",
    "project",
    "project.",
    "project.x",
    "project.0",
    "project.-1",
    "project.01",
    "project.1.5",
    "project." + "9" * 30,
    "project.1\n",
    "project.\u0661",
    "Project.1",
    "user.",
    "everything",
    "x" * 5000,
    "\u0000",
)
BODIES: tuple[Any, ...] = (
    *NO_TEXT,
    "",
    "\n ",
    "a\u0000b",
    "\u0007",
    "\u001b[31m",
    "\u0085",
    "\u007f",
)
REFS: tuple[Any, ...] = (*NO_TEXT, "", "a\u0000", "a\nb\u0000")

# Command, fields that fit, then per field what does not (an absent field is tried where required).
WRONG: list[tuple[str, dict[str, Any], dict[str, tuple[Any, ...]]]] = [
    (
        "subscribe",
        {"stream": "system"},
        {
            "stream": NO_STREAM,
            "since": (
                *(True, 3, "x:1", [], {}, {"epoch": "x"}, {"seq": 1}),
                *({"epoch": bad, "seq": 1} for bad in NO_EPOCH),
                *({"epoch": "x", "seq": bad} for bad in NO_SEQ),
            ),
            "snapshot": (None, 1, "true", [], {}),
        },
    ),
    ("unsubscribe", {"stream": "system"}, {"stream": NO_TEXT}),
    (
        "history",
        {"stream": "system"},
        {
            "stream": NO_STREAM,
            "before": (True, "1", 1.5, 0, -1, HUGE, [], {}),
            "limit": (None, True, "1", 1.5, 0, -1, 201, HUGE, [], {}),
        },
    ),
    (
        "ack",
        {"cursors": {}},
        {
            "cursors": (
                *(None, True, 3, "x", []),
                *({"system": bad} for bad in NO_SEQ if bad != HUGE),
                {f"project.{number}": 1 for number in range(1, 300)},
            )
        },
    ),
    (
        "send_message",
        {"stream": "STREAM", "body": "x", "client_ref": "ref"},
        {
            "stream": (*NO_STREAM, "system", "status", "user.1"),
            "body": BODIES,
            "client_ref": (*REFS, "r\u009f"),
            "reply_to": (True, "1", 1.5, 0, -1, [], {}),
        },
    ),
    ("edit_message", {"message": 1, "body": "x"}, {"message": NO_ID, "body": BODIES}),
    ("delete_message", {"message": 1}, {"message": NO_ID}),
    (
        "mark_read",
        {"stream": "STREAM", "seq": 1},
        {"stream": (*NO_STREAM, "system", "user.1"), "seq": NO_SEQ[:-1]},
    ),
    (
        "typing",
        {"stream": "STREAM", "on": True},
        {"stream": (*NO_STREAM, "system"), "on": (None, 1, 0, "true", [], {})},
    ),
    ("refresh", {"token": "x"}, {"token": NO_TEXT}),
]
OPTIONAL = {"since", "snapshot", "before", "limit", "reply_to"}


@pytest.mark.parametrize(("cmd", "right", "wrong"), WRONG, ids=[row[0] for row in WRONG])
def test_wrong_fields_are_bad_requests(
    join: Join,
    backstage: Backstage,
    team: Team,
    cmd: str,
    right: dict[str, Any],
    wrong: dict[str, tuple[Any, ...]],
) -> None:
    """Wrong types, missing fields, huge numbers, controls: named, stored nowhere, socket stays."""
    client = join(team.member)
    client.ok("subscribe", stream=team.stream)
    fields = {name: team.stream if value == "STREAM" else value for name, value in right.items()}
    tried = [{**fields, name: bad} for name, values in wrong.items() for bad in values]
    tried += [
        {key: value for key, value in fields.items() if key != name}
        for name in wrong
        if name not in OPTIONAL
    ]
    for one in tried:
        if any(name in OPTIONAL and one.get(name, 0) is None for name in ("since", "before")):
            continue  # null is the absent value there
        error = client.error(cmd, **one)
        assert error["code"] == "bad_request", (one, error)
        assert error["message"].isprintable(), one
        assert not error["temporary"]
    client.flushed()
    assert backstage("count_messages", project=team.project) == 0


def test_ids_that_no_row_can_have_are_not_found(join: Join, team: Team) -> None:
    """SQLite raises OverflowError for what does not fit 64 bits; nobody may see that."""
    client = join(team.member)
    for number in (10**9, 2**53, 2**63 - 1, 2**63, HUGE):
        code = "not_found" if number < 2**63 else "bad_request"
        assert client.error("edit_message", message=number, body="x")["code"] == code
        assert client.error("delete_message", message=number)["code"] == code
        fields = {"stream": team.stream, "body": "x", "client_ref": f"r{number}"}
        assert client.error("send_message", reply_to=number, **fields)["code"] == code


def test_unknown_fields_are_ignored(join: Join, team: Team) -> None:
    """Both sides may grow."""
    assert "ts" in join(team.member).ok("ping", colour="green", stream=7)


def test_unknown_commands_are_named_so(join: Join, team: Team) -> None:
    """Whatever stands for a name: it is known by its type and content only."""
    client = join(team.member)
    for cmd in (*NO_TEXT, "", "nope", "SUBSCRIBE", "__class__", "x" * 60_000, "a\u0000\u009b"):
        error = client.error(cmd)
        assert error["code"] == "unknown_command", cmd
        assert error["message"].isprintable()
    client.send('{"id":99}')
    assert shaped_error(client.reply(99))["code"] == "unknown_command"


def test_commands_of_one_socket_run_in_order(join: Join, team: Team) -> None:
    """Replies come in the order of the commands, and so do their effects."""
    client = join(team.member)
    client.ok("subscribe", stream=team.stream)
    started = [
        client.start("send_message", stream=team.stream, body=str(number), client_ref=f"o{number}")
        for number in range(20)
    ]
    seqs = [client.reply(number)["data"]["seq"] for number in started]
    assert seqs == sorted(seqs)
    client.wait_for_seq(team.stream, seqs[-1])
    bodies = [event["data"]["message"]["body"] for event in client.events(team.stream)]
    assert bodies == [str(number) for number in range(20)]


def test_streams_not_ones_own_give_one_answer(
    node: Server, stack: ExitStack, join: Join, team: Team, person: Callable[..., Person]
) -> None:
    """A stream that may not be read and one that does not exist cannot be told apart."""
    client = join(team.stranger)
    for cmd, fields in (
        ("subscribe", {"snapshot": True}),
        ("history", {}),
        ("mark_read", {"seq": 1}),
        ("typing", {"on": True}),
        ("unsubscribe", {}),
        ("send_message", {"body": "x", "client_ref": "x"}),
    ):
        foreign = client.error(cmd, stream=team.stream, **fields)
        unknown = client.error(cmd, stream=f"project.{10**9 + team.project}", **fields)
        foreign["message"] = foreign["message"].replace(str(team.project), "*")
        unknown["message"] = unknown["message"].replace(str(10**9 + team.project), "*")
        assert foreign == unknown, cmd
    for stream in (team.owner.stream, "status", "user.999999999"):
        assert client.error("subscribe", stream=stream)["code"] == "forbidden"
        assert client.error("history", stream=stream)["code"] == "forbidden"
    assert client.error("ack", cursors={team.stream: 1})["code"] == "not_subscribed"


def test_streams_of_a_socket_are_limited(
    nodes: dict[str, Server], stack: ExitStack, backstage: Backstage, person: Callable[..., Person]
) -> None:
    """200; those it has may be subscribed again, and leaving one makes room."""
    ada = person()
    client = stack.enter_context(
        Client(nodes["uvicorn"].ws + "/ws", authorization=ada.authorization)
    ).greeted()
    ids = backstage("more_projects", user=ada.id, count=201)
    streams = [f"project.{number}" for number in ids]
    for stream in streams[:200]:
        client.ok("subscribe", stream=stream)
    assert client.error("subscribe", stream=streams[200])["code"] == "limit_reached"
    client.ok("subscribe", stream=streams[0])
    client.ok("unsubscribe", stream=streams[0])
    client.ok("subscribe", stream=streams[200])


def test_own_streams_are_readable(join: Join, team: Team) -> None:
    """`system` and one's own `user.<id>`, whose snapshot lists the projects."""
    client = join(team.member)
    client.ok("subscribe", stream="system")
    data = client.ok("subscribe", stream=team.member.stream, snapshot=True)
    assert [(one["id"], one["role"]) for one in data["snapshot"]["projects"]] == [
        (team.project, "member")
    ]
