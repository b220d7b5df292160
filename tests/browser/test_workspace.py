"""The workspace page in real browsers, against a real server."""

import re
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import LiveSite, Opening

DISCONNECTED = "ERR_INTERNET_DISCONNECTED"
# A lease (14 s) and a heartbeat (25 s), or the breaker's pause (30 s), on a machine that is slow.
PRESENCE_WITHIN_MS = 90_000


def test_two_people_see_each_other_write(visit: Opening) -> None:
    """A message is in the other browser at once, once; before it, that somebody types."""
    ada, grace = visit("ada"), visit("grace")
    word = f"hello {uuid4().hex}"
    grace.page.get_by_label("Message", exact=True).press_sequentially("hm")
    expect(ada.page.get_by_text("Grace Hopper is typing…")).to_be_visible()
    grace.say(word)
    expect(ada.row(word)).to_have_count(1)
    expect(grace.row(word)).to_have_count(1)
    expect(grace.row(word)).to_have_attribute("data-state", "settled")
    expect(ada.page.get_by_text("is typing")).to_have_count(0)
    expect(grace.row(word).get_by_text("Received by 1 · Seen by Ada Lovelace")).to_be_visible()


def test_people_show_who_is_here(visit: Opening) -> None:
    """Online, busy by choice, and offline some seconds after the last page was closed.

    Where the store of presence is slow for want of CPU, the breaker keeps it aside for up to 30 s,
    and a signal that was missed is made up for by the next heartbeat: so long may each step take.
    """
    ada, grace = visit("ada"), visit("grace")
    here = ada.page.locator(".person", has_text="Grace Hopper").locator(".presence")
    expect(here).to_have_text("online", timeout=PRESENCE_WITHIN_MS)
    grace.page.get_by_label("I am busy").check()
    expect(here).to_have_text("busy", timeout=PRESENCE_WITHIN_MS)
    grace.page.get_by_label("I am busy").uncheck()
    expect(here).to_have_text("online", timeout=PRESENCE_WITHIN_MS)
    grace.page.close()
    expect(here).to_have_text("offline", timeout=PRESENCE_WITHIN_MS)


def test_older_message_says_on_demand_who_has_it(visit: Opening) -> None:
    ada, grace = visit("ada"), visit("grace")
    word = uuid4().hex[:8]
    for number in range(2):
        ada.say(f"{word} {number}")
        expect(grace.row(f"{word} {number}")).to_have_count(1)
    older = ada.row(f"{word} 0")
    expect(ada.row(f"{word} 1").get_by_text("Seen by Grace Hopper")).to_be_visible()
    older.locator(".more").focus()
    for key in ("Enter", "ArrowDown", "ArrowDown", "Enter"):
        ada.page.keyboard.press(key)
    expect(older.get_by_text("Received by 1 · Seen by Grace Hopper")).to_be_visible()


def test_only_project_is_opened_by_itself(visit: Opening) -> None:
    """Whoever is in one project is in it at once, and may still go back to the list."""
    grace = visit("grace", path="/")
    expect(grace.page).to_have_url(re.compile(r"/projects/\d+/$"))
    grace.page.get_by_role("link", name="Workspace").click()
    expect(grace.page.get_by_text("Choose a project")).to_be_visible()


def test_message_is_spoken_to_screen_readers(visit: Opening) -> None:
    """What others write is announced, what one writes oneself is not."""
    ada, grace = visit("ada"), visit("grace")
    word = uuid4().hex
    ada.say(f"mine {word}")
    grace.say(f"theirs {word}")
    spoken = ada.page.locator("#messages-spoken")
    expect(spoken).to_have_text(f"Grace Hopper: theirs {word}")


def test_offline_browser_gets_exactly_what_it_missed(visit: Opening) -> None:
    """Ten messages by the other and one of one's own, in order, once, after the network is back."""
    ada, grace = visit("ada"), visit("grace")
    word = uuid4().hex[:8]
    ada.context.set_offline(True)
    ada.light("You are offline; what you write is sent when you are back")
    for number in range(10):
        grace.say(f"{word} {number}")
    ada.say(f"{word} mine")
    expect(ada.row(f"{word} mine").get_by_text("sending…")).to_be_visible()
    expect(grace.row(f"{word} 9")).to_have_attribute("data-state", "settled")
    assert ada.bodies(f"{word} \\d") == []
    ada.context.set_offline(False)
    ada.light("Live")
    expect(ada.row(f"{word} mine")).to_have_attribute("data-state", "settled")
    expect(grace.row(f"{word} mine")).to_have_count(1)
    expected = [*(f"{word} {number}" for number in range(10)), f"{word} mine"]
    assert ada.bodies(word) == expected
    assert grace.bodies(word) == expected
    # The browser itself reports each attempt that fails while there is no network.
    ada.surprises[:] = [text for text in ada.surprises if DISCONNECTED not in text]


def test_reload_keeps_everything_once(visit: Opening) -> None:
    """A fresh page starts from the snapshot and doubles nothing."""
    ada = visit("ada")
    word = uuid4().hex[:8]
    for number in range(5):
        ada.say(f"{word} {number}")
    expect(ada.row(f"{word} 4")).to_have_attribute("data-state", "settled")
    before = ada.bodies(word)
    ada.page.reload()
    ada.light("Live")
    expect(ada.row(f"{word} 4")).to_have_count(1)
    assert ada.bodies(word) == before == [f"{word} {number}" for number in range(5)]


def test_edit_reply_and_delete_by_keyboard(visit: Opening) -> None:
    """The menu of a message needs no mouse, and the others see what it did."""
    ada, grace = visit("ada"), visit("grace")
    word = uuid4().hex[:8]
    ada.say(f"{word} first")
    expect(ada.row(f"{word} first")).to_have_attribute("data-state", "settled")
    keyboard = ada.page.keyboard
    body = ada.page.get_by_label("Message", exact=True)

    def choose(row_text: str, *keys: str) -> None:
        ada.row(row_text).locator(".more").focus()
        for key in ("Enter", *keys, "Enter"):
            keyboard.press(key)

    choose(f"{word} first", "ArrowDown")
    expect(body).to_have_value(f"{word} first")
    body.fill(f"{word} better")
    keyboard.press("Enter")
    expect(grace.row(f"{word} better").get_by_text("(edited)")).to_be_visible()

    choose(f"{word} better")
    expect(ada.page.get_by_text(f"Reply to Ada Lovelace: {word} better")).to_be_visible()
    ada.say(f"{word} answer")
    expect(grace.row(f"{word} answer").locator(".quote")).to_contain_text(f"{word} better")

    choose(f"{word} answer", "End")
    ada.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(grace.row(f"{word} answer")).to_have_count(0)
    expect(grace.page.get_by_text("message deleted").last).to_be_visible()


def test_hostile_text_stays_text(visit: Opening) -> None:
    """Markup in a message is shown, not run."""
    ada, grace = visit("ada"), visit("grace")
    word = uuid4().hex[:8]
    text = f'{word} <img src=x onerror="alert(1)"><script>alert(2)</script>'
    ada.say(text)
    expect(grace.row(word).locator(".body")).to_have_text(text)
    assert grace.page.locator(".message img, .message script").count() == 0


def test_memory_is_added_and_seen_by_the_other(visit: Opening) -> None:
    """By REST with the CSRF header; the row comes once though reply and event both bring it."""
    ada, grace = visit("ada"), visit("grace")
    title = f"memory {uuid4().hex[:8]}"
    ada.page.get_by_role("button", name="Add a memory").click()
    form = ada.page.locator("#memory-form")
    form.get_by_label("Title").fill(title)
    form.get_by_label("Details").fill("because we said so")
    form.get_by_label("Keep at the top").check()
    form.get_by_role("button", name="Remember").click()
    for visitor in (ada, grace):
        row = visitor.page.locator(".memory", has_text=title)
        expect(row).to_have_count(1)
        expect(row.get_by_text("pinned")).to_be_visible()
    row.locator("summary").click()
    expect(row.get_by_text("because we said so")).to_be_visible()


def test_refusals_are_shown_in_the_servers_words(visit: Opening) -> None:
    """A person who does not exist cannot be added, and the form says what the server said."""
    ada = visit("ada")
    ada.page.get_by_placeholder("Add by user name").fill("nobody-of-that-name")
    ada.page.locator("#invite").get_by_role("button", name="Add").click()
    expect(ada.page.locator("#invite .problem")).to_contain_text("expected")
    ada.surprises[:] = [text for text in ada.surprises if "Failed to load resource" not in text]


def test_new_project_is_opened_and_back_returns(visit: Opening) -> None:
    """The address follows the choice, and the browser's back button the address."""
    ada = visit("ada")
    name = f"Project {uuid4().hex[:6]}"
    page = ada.page
    page.get_by_placeholder("New project").fill(name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page).to_have_url(re.compile(r"/projects/\d+/$"))
    expect(page.get_by_text("Nothing has been said here yet")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Apollo")


def test_role_changes_while_the_page_is_open(visit: Opening, live_site: LiveSite) -> None:
    """A member who becomes a viewer can no longer write, and is told so."""
    grace = visit("grace")
    project = live_site.demo["project"]["id"]
    path = f"/api/projects/{project}/members/{live_site.person('grace')['id']}/"
    key = {"Authorization": f"Api-Key {live_site.person('ada')['api_key']}"}
    with httpx.Client(base_url=live_site.url, headers=key) as api:
        try:
            assert api.patch(path, json={"role": "viewer"}).status_code == 200
            expect(grace.page.get_by_text("You are a viewer of this project")).to_be_visible()
            expect(grace.page.get_by_label("Message", exact=True)).to_be_hidden()
        finally:
            assert api.patch(path, json={"role": "member"}).status_code == 200
    expect(grace.page.get_by_label("Message", exact=True)).to_be_visible()


def test_signing_out_elsewhere_stops_this_tab(visit: Opening) -> None:
    """The light says so, and its link leads back to this very project."""
    ada = visit("ada")
    other = ada.context.new_page()
    other.goto("/")
    other.get_by_role("button", name="Sign out").click()
    link = ada.page.get_by_role("link", name="Sign in again")
    expect(link).to_be_visible()
    expect(link).to_have_attribute("href", re.compile(r"^/sign-in/\?next=%2Fprojects%2F\d+%2F$"))


def test_disconnected_person_is_told_by_whom(visit: Opening, live_site: LiveSite) -> None:
    """The page said "you were signed out", which nobody was; reloading it is enough."""
    grace = visit("grace")
    live_site.manage("disconnect", "--user", "grace")
    grace.light("An administrator closed the connection; reload the page to go on")
    expect(grace.page.get_by_role("link", name="Sign in again")).to_be_hidden()
    grace.page.reload()
    grace.light("Live")


def test_phone_shows_one_pane_at_a_time(visit: Opening) -> None:
    """At 360 px nothing is wider than the screen, and tabs are moved through by arrows."""
    ada = visit("ada", viewport={"width": 360, "height": 740})
    page = ada.page
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    page.get_by_role("tab", name="Messages").focus()
    for pane in ("memories", "people"):
        page.keyboard.press("ArrowRight")
        expect(page.locator(f"#pane-{pane}")).to_be_visible()
        expect(page.locator("#pane-messages")).to_be_hidden()
        assert page.evaluate(overflow) == 0
    page.get_by_role("link", name="All projects").click()
    expect(page.get_by_role("link", name="Apollo")).to_be_visible()
    assert page.evaluate(overflow) == 0


@pytest.mark.parametrize("path", ["/admin/", "/admin/chat/message/", "/api/docs/"])
def test_other_pages_work_under_the_policy(
    chromium: Browser, live_site: LiveSite, path: str
) -> None:
    """The admin and the API's documentation break none of its rules."""
    context = chromium.new_context(base_url=live_site.url)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto("/admin/login/")
    page.get_by_label("Username").fill(live_site.demo["admin"]["username"])
    page.get_by_label("Password").fill(live_site.demo["admin"]["password"])
    page.get_by_role("button", name="Log in").click()
    page.goto(path)
    landmark = ".opblock" if path == "/api/docs/" else "#content h1"
    expect(page.locator(landmark).first).to_be_visible()
    context.close()
    assert complaints == []
