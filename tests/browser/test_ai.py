"""The AI in the page: an answer that grows in place, is stopped, and is run again."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.ai.provider import FakeProvider, provider_server
from tests.browser.conftest import LiveSite, Opening
from tests.nodes.worker import WorkerProcess, working


@pytest.fixture(scope="module")
def site_variables() -> dict[str, str]:
    return {"DRAIN_WINDOW": "0"}


@pytest.fixture(scope="module")
def provider(live_site: LiveSite) -> Iterator[FakeProvider]:
    """What the site's worker asks."""
    with provider_server() as fake:
        asked = {"AI_MODEL": "openai:test", "AI_BASE_URL": fake.url}
        with working(WorkerProcess(live_site.installation, **asked)):
            yield fake


def test_answer_grows_in_place_and_is_stopped_by_another(
    visit: Opening, provider: FakeProvider
) -> None:
    """Both see the same text; after a reload too; running again answers in the same message."""
    ada, grace = visit("ada"), visit("grace")
    ada.say("@ai behave=endless go on")
    answer = grace.row("word5 ")
    expect(answer).to_have_attribute("data-kind", "ai")
    expect(ada.row("word5 ")).to_have_count(1)
    number = answer.get_attribute("data-message")
    ada.page.reload()
    ada.light("Live")
    expect(ada.row("word9 ")).to_have_attribute("data-message", str(number))
    answer.get_by_role("button", name="Stop").click()
    for person in (ada, grace):
        expect(person.page.locator(f'[data-message="{number}"] .run')).to_contain_text("Stopped.")
    shown = f'[data-message="{number}"] .body'
    text = grace.page.locator(shown).inner_text()
    expect(ada.page.locator(shown)).to_have_text(text)
    ada.page.locator(f'[data-message="{number}"]').get_by_role("button", name="Run again").click()
    expect(grace.page.locator(f'[data-message="{number}"] .run')).to_contain_text("is writing")
    grace.page.locator(f'[data-message="{number}"]').get_by_role("button", name="Stop").click()
    expect(ada.page.locator(f'[data-message="{number}"] .run')).to_contain_text("Stopped.")


def test_markup_of_an_answer_is_shown_as_text(visit: Opening, provider: FakeProvider) -> None:
    """A provider that sends a script gets it printed."""
    ada = visit("ada")
    title = ada.page.title()
    ada.say("@ai behave=script go")
    expect(ada.row("<script>document.title = 'gone'</script><b>bold</b>")).to_have_count(1)
    assert ada.page.title() == title


def test_failed_answer_says_why(visit: Opening, provider: FakeProvider) -> None:
    """In a plain sentence, below what there is of it."""
    ada = visit("ada")
    ada.say("@ai behave=cut now")
    foot = ada.row("The launch").locator(".run")
    expect(foot).to_contain_text("The answer failed. The AI does not answer at present.")
