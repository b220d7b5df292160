"""Workers that die or stop while they answer."""

from tests.ai.conftest import Join, Team
from tests.ai.growing import ended, is_kept
from tests.nodes.server import wait_until
from tests.nodes.worker import working


def test_dead_worker_leaves_an_interrupted_run_that_runs_again(team: Team, join: Join) -> None:
    """kill -9 in the middle: within the lease the run is `interrupted` with the text so far, in
    every tab; again is the same run and message with another generation."""
    ada, bob = join("ada"), join("bob", node=1)
    with working(team.site.worker(JOB_LEASE="2")) as doomed:
        run = team.ask("behave=endless once")
        wait_until(lambda: is_kept(bob, run["id"]), "a text that is kept", 10)
        doomed.kill()
    with working(team.site.worker()):
        growing, other = ended(ada, run["id"], 15), ended(bob, run["id"], 15)
        assert growing.state == other.state == "interrupted"
        assert growing.text == other.text
        assert growing.text.startswith("word0 word1 ")
        mark = len(ada.frames)
        again = team.request("bob", "POST", f"runs/{run['id']}/again/", node=1)
        assert again.status_code == 202
        assert (again.json()["id"], again.json()["message"]) == (run["id"], run["message"])
        started = ada.wait_for("ai_processing_start", 10, after=mark)
        assert started["data"]["generation"] == 2
        assert bob.ok("cancel_run", run=run["id"])["state"] == "running"
        ada.wait_for("ai_processing_end", 10, after=mark)
    assert len(team.request("ada", "GET", "messages/?kind=ai").json()["results"]) == 1


def test_expired_run_is_ended_by_whoever_cancels_it(team: Team, join: Join) -> None:
    """The only worker is dead and its lease over: cancelling does not wait for another one."""
    ada = join("ada")
    with working(team.site.worker(JOB_LEASE="1")) as doomed:
        run = team.ask("behave=endless alone")
        wait_until(lambda: is_kept(ada, run["id"]), "a text that is kept", 10)
        doomed.kill()
    wait_until(lambda: team.site.backstage("lease_is_over", run=run["id"]), "the lease's end", 10)
    assert ada.ok("cancel_run", run=run["id"]) == {"state": "running"}
    growing = ended(ada, run["id"])
    assert growing.state == "cancelled"
    assert growing.text.startswith("word0 word1 ")


def test_queued_run_is_ended_by_whoever_cancels_it(team: Team, join: Join) -> None:
    """Nobody works: the run ends at once, and no text is stored."""
    ada = join("ada")
    run = team.ask("behave=endless never")
    assert ada.ok("cancel_run", run=run["id"]) == {"state": "queued"}
    assert ended(ada, run["id"]).state == "cancelled"
    assert not [frame for frame in ada.frames if frame.get("type") == "ai_response_generated"]
    with working(team.site.worker()):
        other = team.ask("when?")
        assert ended(ada, other["id"]).state == "completed"
    assert not team.site.provider.questions("behave=endless never")


def test_stopped_worker_hands_its_run_back(team: Team, join: Join) -> None:
    """A deploy in the middle: what was begun is `interrupted` by the next worker, without waiting
    for the lease."""
    ada = join("ada")
    with working(team.site.worker(JOB_LEASE="30")):
        run = team.ask("behave=endless deploy")
        wait_until(lambda: is_kept(ada, run["id"]), "a text that is kept", 10)
    with working(team.site.worker(JOB_LEASE="30")):
        assert ended(ada, run["id"], 5).state == "interrupted"
