"""The dashboard while a worker dies and comes back: shown without a reload, one alert."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import LiveSite, watched_page
from tests.nodes.worker import WorkerProcess, working

WITHIN_MS = 40_000  # on a busy machine; what it takes on a quiet one stands in docs/status.md


@pytest.fixture(scope="module")
def site_variables() -> dict[str, str]:
    return {"STATUS_MONITOR": "true", "DRAIN_WINDOW": "0"}


@pytest.fixture
def page(chromium: Browser, live_site: LiveSite) -> Iterator[Page]:
    """The administrator's, signed in; its console may hold no complaints."""
    with watched_page(chromium, live_site) as page:
        page.goto("/status/")
        page.get_by_label("User name").fill(live_site.demo["admin"]["username"])
        page.get_by_label("Password").fill(live_site.demo["admin"]["password"])
        page.get_by_role("button", name="Sign in").click()
        yield page


def test_a_dead_worker_is_seen_acknowledged_and_seen_to_return(
    page: Page, live_site: LiveSite
) -> None:
    """Everything on one page that is never loaded again; a phone's width shows all of it."""
    jobs = page.locator('[data-part="jobs"]')
    alerts = page.locator("#alert-list > li", has_text="jobs.down")
    with working(WorkerProcess(live_site.installation)) as worker:
        expect(page.locator("#light-text")).to_have_text("Live")
        expect(jobs).to_have_attribute("data-state", "ok", timeout=WITHIN_MS)
        expect(alerts).to_have_count(0, timeout=WITHIN_MS)
        expect(page.locator("#node-rows")).to_contain_text(f"worker {worker.process.pid}")
        page.evaluate("window.stays = true")
        worker.kill()
        expect(jobs).to_have_attribute("data-state", "down", timeout=WITHIN_MS)
        expect(jobs).to_contain_text("no worker runs")
        expect(page.locator("#overall-detail")).to_contain_text("Jobs: no worker runs")
    expect(alerts).to_have_count(1, timeout=WITHIN_MS)
    alerts.get_by_role("button", name="Acknowledge").click()
    expect(alerts).to_contain_text("looks after it")
    expect(alerts.get_by_role("button")).to_be_hidden()
    chart = page.locator('[data-chart="connections"]')
    chart.get_by_text("Table").click()
    expect(chart.locator("tbody td").first).to_have_text("1")
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    with working(WorkerProcess(live_site.installation)):
        expect(jobs).to_have_attribute("data-state", "ok", timeout=WITHIN_MS)
        expect(alerts).to_have_count(0, timeout=WITHIN_MS)
        expect(page.locator("#timeline-list")).to_contain_text("jobs.down closed")
    assert page.evaluate("window.stays") is True


def test_everybody_sees_states(chromium: Browser, live_site: LiveSite) -> None:
    """Without signing in, and without a script."""
    context = chromium.new_context(base_url=live_site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/status/public/")
    database = page.locator(".states li", has_text="Database")
    # The server has just been started where this is the first test; the page renews itself.
    expect(database).to_contain_text("works", timeout=WITHIN_MS)
    context.close()
