"""Broadcasts as people see them: banners, toasts, the tray, maintenance."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import LiveSite, Opening, Visit
from tests.nodes.worker import WorkerProcess, working

# The browser itself reports each attempt that fails while there is no network.
DISCONNECTED = "ERR_INTERNET_DISCONNECTED"
PHONE = {"width": 360, "height": 740}
HOSTILE = "<img src=x onerror=alert(1)> **now**, see [the plan](https://example.org/plan)"


@pytest.fixture(scope="module")
def site_variables() -> dict[str, str]:
    return {"DRAIN_WINDOW": "0"}


@pytest.fixture(scope="module", autouse=True)
def worker(live_site: LiveSite) -> Iterator[None]:
    """Sends what is asked for."""
    with working(WorkerProcess(live_site.installation)):
        yield


class Operator:
    """Says things by REST, and at the end takes back what it said."""

    def __init__(self, site: LiveSite) -> None:
        self._site = site
        self._headers = {"Authorization": f"Api-Key {site.demo['admin']['api_key']}"}
        self._said: list[int] = []

    def say(self, to: str, **fields: Any) -> int:
        """To `system`, `project/<id>` or `user/<id>`; the broadcast's id."""
        body = {"title": uuid4().hex[:8], "body": "x", "confirm": True, **fields}
        number: int = self._request("POST", to, json=body)["id"]
        self._said.append(number)
        return number

    def cancel(self, number: int) -> None:
        self._request("POST", f"{number}/cancel")

    def cancel_all(self) -> None:
        for number in self._said:
            self.cancel(number)

    def counts(self, number: int) -> tuple[int, int]:
        """Who has it, and who acknowledged it, as of now."""
        found = self._request("GET", str(number))
        return found["delivered"], found["acknowledged"]

    def _request(self, method: str, path: str, **fields: Any) -> Any:
        address = f"{self._site.url}/api/websocket/broadcast/{path}"
        answer = httpx.request(method, address, headers=self._headers, timeout=10, **fields)
        assert answer.is_success, answer.text
        return answer.json()


@pytest.fixture
def operator(live_site: LiveSite) -> Iterator[Operator]:
    found = Operator(live_site)
    yield found
    found.cancel_all()


def banner(person: Visit, title: str) -> Locator:
    return person.page.locator("#banner-list .notice", has_text=title)


def toast(person: Visit, title: str) -> Locator:
    return person.page.locator("#toast-list .notice", has_text=title)


def tray(person: Visit) -> Locator:
    """Opened, if it was not."""
    found = person.page.locator("#tray")
    if not found.is_visible():
        person.page.locator("#tray-button").click()
    return found


def test_broadcast_to_everyone_is_a_banner_until_acknowledged_or_withdrawn(
    visit: Opening, operator: Operator
) -> None:
    """In two tabs; acknowledged in one and so in both, counted, and blanked in both when it is
    withdrawn."""
    first, second = visit("ada"), visit("ada")
    title = f"Leave the building {uuid4().hex[:8]}"
    number = operator.say(
        "system", title=title, body=HOSTILE, level="critical", must_acknowledge=True
    )
    for person in (first, second):
        shown = banner(person, title)
        expect(shown).to_be_visible()
        expect(shown.locator("strong", has_text="now")).to_be_visible()
        expect(shown.locator("img")).to_have_count(0)
        expect(shown).to_contain_text("<img src=x onerror=alert(1)>")
        link = shown.get_by_role("link", name="the plan")
        expect(link).to_have_attribute("rel", re.compile("noopener"))
        expect(shown.get_by_role("button", name="Put away")).to_have_count(0)
        expect(person.page.locator("#notices-alert")).to_contain_text(title)

    yes = banner(first, title).get_by_role("button", name="Acknowledge")
    yes.focus()
    first.page.keyboard.press("Enter")
    expect(banner(first, title)).to_have_count(0)
    expect(first.page.locator("#tray-button")).to_be_focused()
    expect(banner(second, title)).to_have_count(0)
    for person in (first, second):
        expect(tray(person).locator(".notice", has_text=title)).to_contain_text("acknowledged")
    # Both tabs' acknowledgements of the stream and the person's own are one person.
    assert operator.counts(number) == (1, 1)

    first.page.reload()
    first.light("Live")
    expect(tray(first).locator(".notice", has_text=title)).to_contain_text("acknowledged")
    expect(banner(first, title)).to_have_count(0)
    operator.cancel(number)
    for person in (first, second):
        # Nowhere on the page, what is read out included.
        expect(person.page.get_by_text(title)).to_have_count(0)
    expect(tray(first)).to_contain_text("nothing to tell you")


def test_toast_comes_once_through_lost_connections_and_reloads(
    visit: Opening, operator: Operator, live_site: LiveSite
) -> None:
    """Live, of what was said while one was away, and never again; the tray has both."""
    ada = visit("ada")
    project, word = live_site.demo["project"]["id"], uuid4().hex[:8]
    operator.say(f"project/{project}", title=f"{word} one", level="success")
    expect(toast(ada, f"{word} one")).to_be_visible()
    toast(ada, f"{word} one").get_by_role("button", name="Put away").click()
    expect(toast(ada, f"{word} one")).to_have_count(0)

    ada.context.set_offline(True)
    expect(ada.page.locator("#light")).not_to_have_attribute("data-state", "online")
    user = live_site.person("ada")["id"]
    operator.say(f"user/{user}", title=f"{word} two")
    ada.context.set_offline(False)
    ada.light("Live")
    expect(toast(ada, f"{word} two")).to_be_visible()
    expect(toast(ada, f"{word} two")).to_contain_text("to you")
    expect(ada.page.locator("#toast-list .notice")).to_have_count(1)
    expect(ada.page.locator("#tray-count")).to_have_text("1")

    ada.page.reload()
    ada.light("Live")
    expect(ada.page.locator("#tray-count")).to_have_text("1")
    expect(ada.page.locator("#toast-list .notice")).to_have_count(0)
    expect(tray(ada).locator(".notice")).to_have_count(2)
    ada.page.keyboard.press("Escape")
    expect(ada.page.locator("#tray")).to_be_hidden()
    expect(ada.page.locator("#tray-button")).to_be_focused()
    expect(ada.page.locator("#tray-count")).to_be_hidden()
    ada.surprises[:] = [text for text in ada.surprises if DISCONNECTED not in text]


def test_acknowledgement_that_fails_is_said_and_tried_again(
    visit: Opening, operator: Operator
) -> None:
    """The banner stays with the reason, and the same button says it again."""
    ada = visit("ada")
    number = operator.say("system", title="Read this", must_acknowledge=True)
    address = f"**/broadcast/{number}/acknowledge"
    ada.page.route(address, lambda route: route.fulfill(status=503, json={"detail": "not now"}))
    shown = banner(ada, "Read this")
    shown.get_by_role("button", name="Acknowledge").click()
    expect(shown.get_by_role("alert")).to_contain_text("not now")
    assert operator.counts(number)[1] == 0
    ada.page.unroute(address)
    shown.get_by_role("button", name="Try again").click()
    expect(shown).to_have_count(0)
    assert operator.counts(number)[1] == 1
    [complaint] = ada.surprises
    assert "503" in complaint
    ada.surprises.clear()


def test_maintenance_counts_down_and_is_shown_again_when_it_begins(
    visit: Opening, operator: Operator
) -> None:
    """On a phone, within the width of the screen; the end of maintenance takes it away."""
    ada = visit("ada", viewport=PHONE)
    title = f"Moving house {uuid4().hex[:8]}"
    starts = datetime.now(UTC) + timedelta(seconds=15)
    moments = {
        "starts_at": starts.isoformat(),
        "ends_at": (starts + timedelta(hours=1)).isoformat(),
    }
    operator.say("system", kind="maintenance_mode", title=title, level="warning", **moments)
    shown = banner(ada, title)
    expect(shown.locator(".notice-when")).to_have_text(re.compile(r"^Begins in \d+ s, at .*until"))
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert ada.page.evaluate(overflow) == 0
    shown.get_by_role("button", name="Put away").click()
    expect(shown).to_have_count(0)
    begun = re.compile(r"^Under way, until")
    expect(shown.locator(".notice-when")).to_have_text(begun, timeout=30_000)
    operator.say("system", kind="maintenance_mode", title=f"Done: {title}", on=False)
    expect(toast(ada, f"Done: {title}")).to_be_visible()
    expect(shown).to_have_count(0)
