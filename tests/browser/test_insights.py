"""What the context engine finds, as the page shows it: beside messages, in drawer and feed."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import LiveSite, Opening, Visit
from tests.nodes.worker import WorkerProcess, working

PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def site_variables() -> dict[str, str]:
    return {"DRAIN_WINDOW": "0", "CONTEXT_ENGINE": "true"}


@pytest.fixture(scope="module", autouse=True)
def worker(live_site: LiveSite) -> Iterator[None]:
    """Answers by the default provider, and follows the conversation."""
    with working(WorkerProcess(live_site.installation)):
        yield


def remember(site: LiveSite, **fields: Any) -> int:
    number: int = site.request("grace", "POST", "memories/", json=fields).json()["id"]
    return number


def drawer_row(person: Visit, title: str) -> Locator:
    shown = person.page.locator(".memory-title", has_text=title)
    return person.page.locator("#memory-list .memory", has=shown)


def test_similar_issues_stand_beside_the_message(visit: Opening, live_site: LiveSite) -> None:
    """Live, with score and reason; for an older message by keyboard; after a reload, too."""
    word = uuid4().hex[:8]
    remember(live_site, kind="issue", title=f"Uploads of {word} fill the memory")
    ada, grace = visit("ada"), visit("grace")
    related = ada.page.locator("#related")
    grace.say(f"the uploads of {word} are slow")
    match = related.locator(".matches li", has_text=f"Uploads of {word} fill the memory")
    expect(match).to_be_visible()
    expect(related.get_by_role("heading", name="Similar issues")).to_be_visible()
    expect(match.locator(".score")).to_have_text(re.compile(r"^\d+ %$"))
    expect(match.locator(".why")).to_contain_text(word)
    expect(ada.page.locator("#feed-now")).to_contain_text("Read what Grace Hopper wrote")

    ada.say("something else entirely")
    older = ada.row(f"the uploads of {word}")
    older.locator(".more").focus()
    for key in ("Enter", "ArrowDown", "ArrowDown", "Enter"):
        ada.page.keyboard.press(key)
    expect(ada.page.locator("#related-title")).to_be_focused()
    expect(older).to_have_class(re.compile("chosen"))
    expect(related.locator(".related-of")).to_contain_text(f"the uploads of {word}")
    related.get_by_role("button", name="Back to the newest").click()
    expect(older).not_to_have_class(re.compile("chosen"))

    ada.page.reload()
    ada.light("Live")
    expect(match).to_be_visible()
    match.get_by_role("link").click()
    expect(drawer_row(ada, word).locator("details")).to_have_attribute("open", "")


def test_phone_shows_them_below_the_message(visit: Opening, live_site: LiveSite) -> None:
    """Folded, within the width of the screen; what it names opens in the drawer."""
    word = uuid4().hex[:8]
    remember(live_site, kind="issue", title=f"Valves of {word} leak")
    ada = visit("ada", viewport=PHONE)
    ada.say(f"the valves of {word} again")
    row = ada.page.locator(".related-row")
    expect(row.locator("summary").first).to_have_text("1 similar issue")
    own = ada.row(f"the valves of {word} again")
    assert own.locator("xpath=following-sibling::li[1]").get_attribute("class") == "related-row"
    row.locator("summary").first.click()
    link = row.get_by_role("link", name=f"Valves of {word} leak")
    expect(link).to_be_visible()
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert ada.page.evaluate(overflow) == 0
    link.click()
    expect(ada.page.locator("#pane-memories")).to_be_visible()
    expect(drawer_row(ada, word).locator("details")).to_have_attribute("open", "")


def test_answer_names_its_sources_and_says_which_are_gone(
    visit: Opening, live_site: LiveSite
) -> None:
    """Marks are links to the drawer and to messages; a deleted memory is said to be gone."""
    word = uuid4().hex[:8]
    memory = remember(live_site, kind="fact", title=f"The {word} engine burns for 90 seconds")
    ada = visit("ada")
    ada.say(f"@ai how long does the {word} engine burn?")
    answer = ada.page.locator(".message[data-kind=ai]").last
    mark = answer.locator(".body a.cite", has_text=f"memory {memory}").first
    expect(mark).to_be_visible()
    expect(ada.page.locator("#feed-list")).to_contain_text("The AI has answered")
    source = answer.get_by_role("list", name="Sources").get_by_role("link", name=word).first
    source.click()
    row = drawer_row(ada, f"The {word} engine")
    expect(row.locator("details")).to_have_attribute("open", "")
    expect(row.locator("summary")).to_be_focused()
    live_site.request("grace", "DELETE", f"memories/{memory}/")
    expect(answer.locator(".sources s", has_text=word)).to_be_visible()
    mark.click()
    expect(mark).to_contain_text("this memory is gone")


def test_link_to_a_message_brings_it_into_view(visit: Opening) -> None:
    """Whoever writes the mark; what was deleted says so in its place."""
    ada = visit("ada")
    word = uuid4().hex[:8]
    ada.say(f"{word} first")
    first = ada.row(f"{word} first")
    expect(first).to_have_attribute("data-state", "settled")
    number = first.get_attribute("data-message")
    for count in range(12):
        ada.say(f"{word} line {count}\nand another\nand another")
    ada.say(f"as I said in [message:{number}] and in [message:999999]")
    last = ada.row("as I said in")
    expect(last).to_have_attribute("data-state", "settled")
    expect(first).not_to_be_in_viewport()
    last.get_by_role("link", name=f"message {number}", exact=True).click()
    expect(first).to_be_in_viewport()
    gone = last.get_by_role("link", name="message 999999")
    gone.click()
    expect(gone).to_contain_text("this message is gone")


def test_proposal_is_kept_or_discarded_for_everyone(visit: Opening) -> None:
    """It stands beside its message and in the drawer until a member decides."""
    ada, grace = visit("ada"), visit("grace")
    word = uuid4().hex[:8]
    grace.say(f"Decision: we fly {word} in May\nTodo: paint {word} red")
    beside = ada.page.locator("#related .proposal")
    expect(beside).to_have_count(2)
    expect(drawer_row(ada, f"we fly {word}").get_by_text("proposed")).to_be_visible()
    beside.get_by_role("button", name=f"Keep: we fly {word} in May").click()
    for person in (ada, grace):
        kept = drawer_row(person, f"we fly {word}")
        expect(kept.get_by_text("proposed")).to_have_count(0)
        expect(kept).to_have_count(1)
    drawer_row(grace, f"paint {word}").get_by_role("button", name="Discard").click()
    for person in (ada, grace):
        expect(drawer_row(person, f"paint {word}")).to_have_count(0)
        expect(person.page.locator("#related .proposal")).to_have_count(0)


def test_drawer_filters_and_shows_what_rests_on_what(visit: Opening, live_site: LiveSite) -> None:
    """By kind, by what it is, by words; expiry in words; a change below is told above."""
    word = uuid4().hex[:8]
    base = remember(live_site, kind="fact", title=f"{word} base", pinned=True)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    noon = tomorrow.replace(hour=12, minute=0, second=0, microsecond=0)
    task = {"kind": "task", "title": f"{word} top", "depends_on": [base]}
    remember(live_site, **task, expires_at=noon.isoformat())
    ada = visit("ada", timezone_id="UTC")
    find = ada.page.get_by_label("Find memories")
    find.fill(word)
    rows = ada.page.locator("#memory-list .memory")
    expect(rows).to_have_count(2)
    top, below = drawer_row(ada, f"{word} top"), drawer_row(ada, f"{word} base")
    expect(top.get_by_text("expires tomorrow")).to_be_visible()
    ada.page.get_by_label("Of which kind").select_option("facts")
    expect(rows).to_have_count(1)
    ada.page.get_by_label("Of which kind").select_option("of any kind")
    ada.page.get_by_label("Which memories").select_option("expiring")
    expect(top).to_have_count(1)
    expect(below).to_have_count(0)
    ada.page.get_by_role("button", name="Show all").click()
    expect(below).to_have_count(1)

    top.locator("summary").click()
    top.get_by_role("link", name=f"{word} base").click()
    expect(below.locator("details")).to_have_attribute("open", "")
    expect(below.locator("dd", has_text=f"{word} top")).to_be_visible()
    live_site.request("grace", "PATCH", f"memories/{base}/", json={"body": "another"})
    expect(top.get_by_text("check it")).to_be_visible()
    expect(top.locator(".doubt")).to_contain_text(f"{word} base")


def test_search_finds_memories_and_says_why(visit: Opening, live_site: LiveSite) -> None:
    """Enter asks; the answer says how it was searched; a result leads to its memory."""
    word = uuid4().hex[:8]
    remember(live_site, title=f"Spare batteries of {word}", body="In the cellar.")
    ada = visit("ada")
    find = ada.page.get_by_label("Find memories")
    find.fill(f"where are the batteries of {word}")
    expect(ada.page.get_by_text(re.compile(r"^None of \d+ fits"))).to_be_visible()
    find.press("Enter")
    found = ada.page.locator("#memory-found")
    expect(found).to_contain_text("by keywords only: the language model is away")
    expect(found.locator(".why").first).to_contain_text(word)
    found.get_by_role("link", name=f"Spare batteries of {word}").click()
    row = drawer_row(ada, f"Spare batteries of {word}")
    expect(row.get_by_text("In the cellar.")).to_be_visible()
    find.fill("nothing says this zzz")
    find.press("Enter")
    expect(found).to_contain_text("Nothing says that")


def test_summary_stands_at_the_head_of_the_room(visit: Opening, live_site: LiveSite) -> None:
    """It follows the conversation, and a fresh page has it."""
    ada = visit("ada")
    title = f"Decided so {uuid4().hex[:8]}"
    remember(live_site, kind="decision", title=title)
    ada.say("and what now?")
    summary = ada.page.locator("#room-summary")
    expect(summary).to_contain_text(title)
    ada.page.reload()
    ada.light("Live")
    summary.locator("summary").click()
    expect(summary.locator("dd", has_text=title)).to_be_visible()
