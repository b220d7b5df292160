"""The admin's live pages in a real browser, under the strict policy of the site."""

import csv
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import LiveSite, watched_page
from tests.nodes.client import Client

ADMIN = "/admin/realtime/"
LISTS = ["broadcast", "auditentry", "ban", "apikey", "job", "event", "stream", "broadcastday"]


@pytest.fixture
def operator(chromium: Browser, live_site: LiveSite) -> Iterator[Page]:
    """Signed in to the admin; at the end the console may hold no complaint."""
    with watched_page(chromium, live_site) as page:
        page.goto("/admin/")
        page.locator("#id_username").fill(live_site.demo["admin"]["username"])
        page.locator("#id_password").fill(live_site.demo["admin"]["password"])
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("Site administration")).to_be_visible()
        yield page


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


def test_banned_person_is_shut_out_from_the_row(operator: Page, live_site: LiveSite) -> None:
    """From *Live connections* to the prefilled form; the socket goes at once, and comes after the
    ban was lifted."""
    grace = live_site.person("grace")
    key = f"Api-Key {grace['api_key']}"
    address = live_site.url.replace("http", "ws") + "/ws"
    operator.goto(f"{ADMIN}liveconnection/")
    with Client(address, authorization=key) as client:
        opened = client.greeted().frames[0]["data"]["connection"]
        row = operator.locator(f'[data-connection="{opened}"]')
        row.get_by_role("link", name="Ban grace…").click()
        expect(operator.locator("#id_user option:checked")).to_have_text("grace")
        operator.locator("#id_reason").fill("too loud")
        operator.locator("#id_network").fill("192.0.2.0/24")
        operator.get_by_role("button", name="Save", exact=True).click()
        expect(operator.get_by_text("Expected either a person or a network.")).to_be_visible()
        operator.locator("#id_network").fill("")
        operator.get_by_role("button", name="Save", exact=True).click()
        expect(operator.get_by_text("was added successfully")).to_be_visible()
        assert client.closed()[0] == 4403
    with Client(address, authorization=key) as client:
        code, reason = client.closed()
        assert (code, "banned for good" in reason) == (4403, True)
    first = operator.locator("#result_list tbody tr").first
    expect(first).to_contain_text("too loud")
    first.locator("input.action-select").check()
    operator.get_by_label("Action:").select_option("lift")
    operator.get_by_role("button", name="Go").click()
    expect(operator.get_by_text("1 bans lifted.")).to_be_visible()
    with Client(address, authorization=key) as client:
        client.greeted()


def test_broadcast_is_tried_scheduled_and_exported(
    operator: Page, live_site: LiveSite, tmp_path: Path
) -> None:
    """First to oneself, then for later; the list as CSV has it."""
    operator.goto(f"{ADMIN}broadcast/add/")
    operator.locator("#id_scope").select_option("project")
    operator.locator("#id_target").fill(str(live_site.demo["project"]["id"]))
    operator.locator("#id_title").fill("=Later")
    operator.locator("#id_body").fill("tomorrow")
    operator.get_by_role("button", name="Send to myself first").click()
    expect(operator.get_by_text("Sent to you alone.")).to_be_visible()
    operator.locator("#id_publish_at_0").fill("2126-01-01")
    operator.locator("#id_publish_at_1").fill("12:00:00")
    operator.get_by_role("button", name="Send", exact=True).click()
    expect(operator.get_by_text("within a year").first).to_be_visible()
    operator.locator("#id_publish_at_0").fill(_in_a_month())
    operator.get_by_role("button", name="Send", exact=True).click()
    expect(operator.locator('[data-status="scheduled"]')).to_be_visible()
    operator.goto(f"{ADMIN}broadcast/?status__exact=scheduled")
    with operator.expect_download() as downloading:
        operator.get_by_role("link", name="Export as CSV").click()
    path = tmp_path / "broadcast.csv"
    downloading.value.save_as(path)
    header, *rows = list(csv.reader(path.read_text().splitlines()))
    titles = [row[header.index("title")] for row in rows]
    assert titles == ["'=Later"]


def _make_rows(operator: Page, live_site: LiveSite) -> None:
    """A broadcast and a ban, and so entries of the audit log, if there are none yet."""
    for name, fields in (
        ("ban", {"network": "192.0.2.0/24", "reason": "a flood"}),
        ("broadcast", {"target": str(live_site.demo["project"]["id"]), "title": "t", "body": "b"}),
    ):
        operator.goto(f"{ADMIN}{name}/")
        if operator.locator("#result_list tbody tr").count():
            continue
        operator.goto(f"{ADMIN}{name}/add/")
        if name == "broadcast":
            operator.locator("#id_scope").select_option("project")
        for field, value in fields.items():
            operator.locator(f"#id_{field}").fill(value)
        operator.locator(".submit-row .default").click()
        expect(operator.locator(".messagelist .success")).to_be_visible()


def _in_a_month() -> str:
    return f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_every_page_is_clean(
    operator: Page, live_site: LiveSite, scheme: Literal["light", "dark"], width: int
) -> None:
    """No page breaks the policy or says anything to the console (the fixture looks), and the live
    ones fit a phone: wide tables scroll within themselves."""
    operator.emulate_media(color_scheme=scheme)
    operator.set_viewport_size({"width": width, "height": 800})
    _make_rows(operator, live_site)
    pages = [f"{name}/" for name in LISTS]
    pages += ["liveconnection/", "broadcast/add/", "ban/add/?network=192.0.2.1"]
    for name in pages:
        operator.goto(ADMIN + name)
        expect(operator.locator("#content")).to_be_visible()
        shown = operator.evaluate("document.documentElement.scrollWidth")
        assert shown <= width, f"{name} is {shown} px wide"
    for name in ("broadcast", "auditentry", "ban"):
        operator.goto(f"{ADMIN}{name}/")
        operator.locator("#result_list tbody tr th a").first.click()
        operator.wait_for_url(re.compile(f"/{name}/.*[0-9]"))  # and loaded: it has its width then
        expect(operator.locator("#content h1")).to_be_visible()
        shown = operator.evaluate("document.documentElement.scrollWidth")
        assert shown <= width, f"a {name} is {shown} px wide"
