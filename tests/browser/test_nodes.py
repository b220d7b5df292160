"""An answer in tabs on two nodes, while workers come and go."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.ai.provider import FakeProvider, provider_server
from tests.browser.conftest import LiveSite, Opening, Visit
from tests.nodes.server import Server, running
from tests.nodes.worker import WorkerProcess, working


@pytest.fixture(scope="module")
def site_variables() -> dict[str, str]:
    return {"DRAIN_WINDOW": "0", "JOB_LEASE": "2"}


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with provider_server() as fake:
        yield fake


@pytest.fixture(scope="module")
def other_node(live_site: LiveSite) -> Iterator[Server]:
    with running(Server(live_site.installation)) as (server,):
        yield server


def _worker(site: LiveSite, provider: FakeProvider) -> WorkerProcess:
    asked = {"AI_MODEL": "openai:test", "AI_BASE_URL": provider.url}
    return WorkerProcess(site.installation, **asked)


def _answers(site: LiveSite) -> list[dict[str, object]]:
    """Those that the database has, newest first."""
    found: list[dict[str, object]] = site.request("ada", "GET", "messages/?kind=ai").json()
    return found["results"]  # type: ignore[call-overload, no-any-return]


def _shown(person: Visit, number: object) -> str:
    """The text of a message as it stands on the page."""
    return str(person.page.locator(f'[data-message="{number}"] .body').text_content())


def test_waiting_answer_is_stopped_and_run_again_by_anyone(
    visit: Opening, live_site: LiveSite, other_node: Server
) -> None:
    """Nobody works: both tabs see it wait, either stops it, and both see it wait again."""
    ada, grace = visit("ada"), visit("grace", url=other_node.http)
    ada.say("@ai is anybody there?")
    feet = [person.page.locator(".run").last for person in (ada, grace)]
    for foot in feet:
        expect(foot).to_contain_text("Waiting for the AI…")
    feet[1].get_by_role("button", name="Stop").click()
    for foot in feet:
        expect(foot).to_contain_text("Stopped.")
    feet[0].get_by_role("button", name="Run again").click()
    for foot in feet:
        expect(foot).to_contain_text("Waiting for the AI…")
    grace.page.reload()
    grace.light("Live")
    feet[1].get_by_role("button", name="Stop").click()
    expect(feet[0]).to_contain_text("Stopped.")


def test_tabs_agree_after_reloads_a_dead_worker_and_a_stop(
    visit: Opening, live_site: LiveSite, other_node: Server, provider: FakeProvider
) -> None:
    """Two tabs on two nodes reload in the middle, the worker is killed, the second tab stops it."""
    ada, grace = visit("ada"), visit("grace", url=other_node.http)
    before = len(_answers(live_site))
    with working(_worker(live_site, provider)) as doomed:
        ada.say("@ai behave=endless go on")
        answer = grace.row("word5 ")
        expect(answer).to_have_attribute("data-kind", "ai")
        number = answer.get_attribute("data-message")
        for person in (ada, grace):
            person.page.reload()
            person.light("Live")
            expect(person.row("word9 ")).to_have_attribute("data-message", str(number))
        expect(answer).to_contain_text("word30 ")  # long enough for a checkpoint
        doomed.kill()
    answer.get_by_role("button", name="Stop").click()
    with working(_worker(live_site, provider)):
        foot = f'[data-message="{number}"] .run'
        for person in (ada, grace):
            expect(person.page.locator(foot)).to_contain_text("Stopped.", timeout=20_000)
    stored = _answers(live_site)
    assert len(stored) == before + 1
    assert stored[0]["id"] == int(str(number))
    text = str(stored[0]["body"])
    assert text.startswith("word0 word1 ")
    late = visit("grace")
    assert [_shown(person, number) for person in (ada, grace, late)] == [text] * 3
