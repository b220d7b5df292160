"""Who may ask what, and what is refused; by both doors, REST and the socket."""

import uuid

import pytest

from tests.ai.conftest import Join, Site, Team
from tests.ai.growing import ended
from tests.nodes.worker import working

# The longest that a message may be is 16,000.
BAD = [
    ("", 400, "bad_request"),
    ("   \n ", 400, "bad_request"),
    ("@ai", 400, "bad_request"),
    ("@AI,  ", 400, "bad_request"),
    ("why? " * 10_000, 413, "too_large"),
    ("why\x00?", 400, "bad_request"),
]


@pytest.mark.parametrize(("body", "status", "code"), BAD)
def test_bad_question_is_refused(team: Team, body: str, status: int, code: str) -> None:
    """Nothing is stored of it, and nothing runs."""
    answer = team.request("ada", "POST", "ask/", json={"body": body})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert team.request("ada", "GET", "messages/").json()["results"] == []


@pytest.mark.parametrize(("body", "code"), [(body, code) for body, _, code in BAD])
def test_bad_question_is_refused_on_the_socket(
    team: Team, join: Join, body: str, code: str
) -> None:
    """As by REST, and the socket stays."""
    ada = join("ada")
    ref = uuid.uuid4().hex
    error = ada.error("send_message", stream=team.stream, body=body, client_ref=ref, ask_ai=True)
    assert error["code"] == code
    ada.flushed()
    assert ada.events(team.stream) == []


def test_only_writers_ask(team: Team) -> None:
    """A viewer is told so; a stranger hears what anyone hears of a project that does not exist."""
    assert team.request("vera", "POST", "ask/", json={"body": "why?"}).status_code == 403
    strange = team.request("sam", "POST", "ask/", json={"body": "why?"})
    assert strange.status_code == 404


@pytest.mark.parametrize(
    ("body", "fields", "asks"),
    [
        ("@ai when is the launch?", {}, True),
        ("  @AI: when?", {}, True),
        ("when is the launch?", {"ask_ai": True}, True),
        ("when is the launch?", {"ask_ai": False}, False),
        ("@aida when is the launch?", {}, False),
        ("ask @ai", {}, False),
    ],
)
def test_message_asks_where_it_says_so(
    team: Team, join: Join, body: str, fields: dict[str, bool], asks: bool
) -> None:
    """By its flag or its first word; the answer has its place in the same commit."""
    ada = join("ada")
    ref = uuid.uuid4().hex
    sent = ada.ok("send_message", stream=team.stream, body=body, client_ref=ref, **fields)
    assert ("run" in sent) is asks
    again = ada.ok("send_message", stream=team.stream, body=body, client_ref=ref, **fields)
    assert again == sent
    ada.flushed()
    told = [frame["data"] for frame in ada.events(team.stream) if frame["type"] == "new_message"]
    assert [one["message"]["kind"] for one in told] == ["user", "ai"][: 1 + asks]
    assert told[0]["message"]["id"] == sent["message"]["id"]
    if asks:
        assert sent["run"]["question"] == sent["message"]["id"]
        assert told[1]["message"]["id"] == sent["run"]["message"]
        assert told[1]["message"]["reply_to"] == sent["message"]["id"]


def test_runs_of_others_are_unknown(team: Team, site: Site) -> None:
    """Under the address of another project, and for strangers, by every method."""
    run = team.ask("why?")
    other = site.backstage("team")
    owner = f"Api-Key {other['people']['ada']['key']}"
    for project in (team.project, other["project"]):
        for method, path in (("GET", ""), ("POST", "again/"), ("POST", "cancel/")):
            address = f"/api/projects/{project}/runs/{run['id']}/{path}"
            answer = site.nodes[0].request(method, address, authorization=owner)
            assert answer.status_code == 404, address


def test_run_under_way_does_not_run_again(team: Team, join: Join) -> None:
    """409; and once it is cancelled it does."""
    run = team.ask("why?")
    path = f"runs/{run['id']}"
    assert team.request("ada", "POST", f"{path}/again/").status_code == 409
    assert team.request("bob", "POST", f"{path}/cancel/").json() == {"state": "queued"}
    assert team.request("ada", "GET", f"{path}/").json()["state"] == "cancelled"
    assert team.request("vera", "POST", f"{path}/again/").status_code == 403
    assert team.request("ada", "POST", f"{path}/again/").json()["state"] == "queued"


def test_everyone_hears_which_run_waits(team: Team, join: Join) -> None:
    """Nobody but the asker could stop a run before it had started; now, and when run again."""
    bob = join("bob")
    run = team.ask("why?")
    first = bob.wait_for("message_updated")
    team.request("ada", "POST", f"runs/{run['id']}/cancel/")
    team.request("ada", "POST", f"runs/{run['id']}/again/")
    again = bob.wait_for("message_updated", after=bob.frames.index(first) + 1)
    for frame in (first, again):
        assert frame["data"]["queued_run"] == run["id"]
        assert frame["data"]["message"]["id"] == run["message"]
    assert bob.ok("cancel_run", run=run["id"]) == {"state": "queued"}


def test_deleted_answer_ends_its_run_and_keeps_no_text(team: Team, join: Join) -> None:
    """Taking the growing message away is taking all of it away, for good."""
    ada = join("ada")
    with working(team.site.worker()):
        run = team.ask("behave=endless go on")
        ada.wait_for("ai_processing_progress")
        ada.ok("delete_message", message=run["message"])
        assert ended(ada, run["id"]).state == "cancelled"
    assert ada.ok("run", run=run["id"])["text"] == ""
    path = f"messages/{run['message']}/"
    assert team.request("ada", "GET", path).json()["body"] == ""
    assert team.request("ada", "POST", f"runs/{run['id']}/again/").status_code == 409
