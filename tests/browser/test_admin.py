"""The admin's live pages in a real browser, under the strict policy of the site."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import LiveSite
from tests.nodes.client import Client


@pytest.fixture
def operator(chromium: Browser, live_site: LiveSite) -> Iterator[Page]:
    """Signed in to the admin; at the end the console may hold no complaint."""
    context = chromium.new_context(base_url=live_site.url)
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/admin/")
    page.locator("#id_username").fill(live_site.demo["admin"]["username"])
    page.locator("#id_password").fill(live_site.demo["admin"]["password"])
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Site administration")).to_be_visible()
    yield page
    context.close()
    assert complaints == []


def test_connections_come_and_are_closed(operator: Page, live_site: LiveSite) -> None:
    """A socket appears without a reload, gets its test frame, and is closed from its row."""
    operator.goto("/admin/realtime/liveconnection/")
    expect(operator.locator("[data-live-light]")).to_have_text("Live")
    ada = live_site.person("ada")
    address = live_site.url.replace("http", "ws") + "/ws"
    with ExitStack() as stack:
        key = f"Api-Key {ada['api_key']}"
        client = stack.enter_context(Client(address, authorization=key))
        opened = client.greeted().frames[0]["data"]["connection"]
        row = operator.locator(f'[data-connection="{opened}"]')
        expect(row).to_contain_text("ada")
        row.get_by_role("button", name="Send test frame").click()
        assert client.wait_for("warning_issued")["data"]["code"] == "test"
        row.get_by_role("button", name="Close", exact=True).click()
        assert client.closed()[0] == 4409
        expect(row).to_have_count(0)


def test_broadcast_is_previewed_and_watched(operator: Page, live_site: LiveSite) -> None:
    """The preview follows the typing; the broadcast's page says by itself that it was withdrawn."""
    operator.goto("/admin/realtime/broadcast/add/")
    operator.locator("#id_scope").select_option("project")
    operator.locator("#id_target").fill(str(live_site.demo["project"]["id"]))
    operator.locator("#id_title").fill("Deploy")
    operator.locator("#id_body").fill("at **noon**")
    preview = operator.locator("#preview")
    expect(preview).to_contain_text("people would get this")
    expect(preview.locator("strong", has_text="noon")).to_be_visible()
    operator.get_by_role("button", name="Send", exact=True).click()
    expect(operator.locator('[data-status="queued"]')).to_be_visible()
    expect(operator.locator("[data-live-light]")).to_have_text("Live")
    elsewhere = operator.context.new_page()
    elsewhere.goto(operator.url)
    elsewhere.get_by_role("button", name="Withdraw before anything is sent").click()
    # A page that is seen: this one is in front again.
    operator.bring_to_front()
    expect(operator.locator('[data-status="cancelled"]')).to_be_visible()
