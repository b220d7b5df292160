"""A real server with the demo in it, and real browsers that watch their own console."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.nodes.installation import Installation
from tests.nodes.template import copy_sqlite

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 15

expect.set_options(timeout=10_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip with the command that helps, where there is no browser."""
    if CHROMIUM is None:
        skip = pytest.mark.skip(reason="chromium is not installed: apt-get install chromium")
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(skip)


@dataclass(frozen=True)
class LiveSite:
    """Where it listens, and what `manage.py demo --json` said."""

    url: str
    demo: dict[str, Any]
    environment: dict[str, str]

    def manage(self, *arguments: str) -> None:
        """Run a command of `manage.py` beside the server."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        subprocess.run(command, env=self.environment, cwd=ROOT, timeout=START_TIMEOUT_S, check=True)

    @property
    def installation(self) -> Installation:
        """For workers and further servers beside it."""
        return Installation(self.environment)

    def request(self, name: str, method: str, path: str, **fields: Any) -> httpx.Response:
        """By REST as that person, below the demo's project."""
        address = f"{self.url}/api/projects/{self.demo['project']['id']}/{path}"
        key = {"Authorization": f"Api-Key {self.person(name)['api_key']}"}
        answer = httpx.request(method, address, headers=key, timeout=10, **fields)
        assert answer.is_success, answer.text
        return answer

    def person(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(u for u in self.demo["users"] if u["username"] == name)
        return found


@pytest.fixture(scope="module")
def site_variables() -> dict[str, str]:
    """What a module's site runs with beside the defaults; modules have their own."""
    return {}


def _environment(data_dir: Path, variables: dict[str, str]) -> dict[str, str]:
    # The page is what is tested: always on the embedded set-up, whatever the suite runs on.
    left_out = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    given = {"DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1", "DEBUG": "true"}
    return {**kept, **given, **variables}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


# Not called live_server: pytest-django would give every test that asks for it a test database.
# Of the module, not of the session: while sync_playwright runs, its event loop stands in the main
# thread, and tests of other modules that call asyncio.run or the ORM would fail.
@pytest.fixture(scope="module")
def live_site(
    tmp_path_factory: pytest.TempPathFactory, site_variables: dict[str, str]
) -> Iterator[LiveSite]:
    """`manage.py serve` on a free port, with the demo, gone afterwards."""
    data_dir = tmp_path_factory.mktemp("data")
    manage = [sys.executable, str(ROOT / "manage.py")]
    environment = _environment(data_dir, site_variables)
    copy_sqlite(data_dir, environment)
    made = subprocess.run(
        [*manage, "demo", "--json"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    port = _free_port()
    server = subprocess.Popen(
        [*manage, "serve", "--port", str(port)],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    log: list[str] = []
    ready = threading.Event()
    reader = threading.Thread(target=_read, args=(server, log, ready), daemon=True)
    reader.start()
    try:
        assert ready.wait(START_TIMEOUT_S), "".join(log)
        assert server.poll() is None, "".join(log)
        yield LiveSite(f"http://127.0.0.1:{port}", json.loads(made.stdout), environment)
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            server.kill()
        reader.join(STOP_TIMEOUT_S)
    assert "Traceback" not in "".join(log), "".join(log)


def _read(server: subprocess.Popen[str], log: list[str], ready: threading.Event) -> None:
    """Keep the pipe empty; `ready` is set by the line that says so, or by the end."""
    assert server.stdout is not None
    for line in server.stdout:
        log.append(line)
        if line.startswith("Listening"):
            ready.set()
    ready.set()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's own browser; playwright's download is not needed."""
    with sync_playwright() as playwright:
        # Without the sandbox: it cannot be had as root, which containers run as.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def note_surprises(page: Page, surprises: list[str]) -> None:
    """What it says to its console that it should not, and what it throws, as it happens."""
    page.on(
        "console",
        lambda said: surprises.append(said.text) if said.type in {"error", "warning"} else None,
    )
    page.on("pageerror", lambda error: surprises.append(str(error)))


@contextmanager
def watched_page(chromium: Browser, site: LiveSite) -> Iterator[Page]:
    """A page in a browser of its own, whose console may hold no complaints at the end."""
    context = chromium.new_context(base_url=site.url)
    page = context.new_page()
    surprises: list[str] = []
    note_surprises(page, surprises)
    yield page
    context.close()
    assert surprises == []


@dataclass
class Visit:
    """A person at the page, in a browser of their own."""

    page: Page
    context: BrowserContext
    surprises: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.page.get_by_label("Message", exact=True).fill(text)
        self.page.keyboard.press("Enter")

    def row(self, text: str | re.Pattern[str]) -> Any:
        return self.page.locator(".message", has=self.page.locator(".body", has_text=text))

    def bodies(self, pattern: str) -> list[str]:
        """Texts of the messages that match, in the order shown."""
        shown = self.page.locator(".message .body").all_inner_texts()
        return [text for text in shown if re.search(pattern, text)]

    def light(self, text: str) -> None:
        expect(self.page.locator("#light-text")).to_have_text(text, timeout=20_000)


Opening = Callable[..., Visit]


@pytest.fixture(scope="module")
def signed_in() -> dict[tuple[str, str], Any]:
    """Cookies by site and person: signing in costs a second, and tests come in dozens."""
    return {}


@pytest.fixture
def visit(
    chromium: Browser, live_site: LiveSite, signed_in: dict[tuple[str, str], Any]
) -> Iterator[Opening]:
    """`visit("ada")` signs in to the demo's project, by `url` on another node.

    At the end no console may hold complaints.
    """
    project_path = f"/projects/{live_site.demo['project']['id']}/"
    visits: list[Visit] = []

    def begin(
        name: str, path: str = project_path, url: str = live_site.url, **options: Any
    ) -> Visit:
        cookies = signed_in.get((url, name))
        context = chromium.new_context(base_url=url, storage_state=cookies, **options)
        visitor = Visit(context.new_page(), context)
        visits.append(visitor)
        page = visitor.page
        note_surprises(page, visitor.surprises)
        page.goto(path)
        if "/sign-in/" in page.url:  # also after a test that has signed out
            person = live_site.person(name)
            page.get_by_label("User name").fill(person["username"])
            page.get_by_label("Password").fill(person["password"])
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_selector("#room")
            signed_in[url, name] = context.storage_state()
        visitor.light("Live")
        expect(page.locator("#room")).to_have_attribute("data-phase", "open")
        return visitor

    yield begin
    surprises = [text for visitor in visits for text in visitor.surprises]
    for visitor in visits:
        visitor.context.close()
    assert surprises == []
