"""The server-rendered shells: signing in and out, and nothing inline in them."""

from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a-long-word-for-tests"


@pytest.fixture
def ada() -> Any:
    """A person whose name needs escaping."""
    users = get_user_model().objects
    return users.create_user("ada", password=PASSWORD, first_name='<b>"Ada"</b>')


class Inline(HTMLParser):
    """Collects what a strict policy would refuse to run or to apply."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._within: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        self._within = tag if tag in {"script", "style"} else None
        if tag == "style":
            self.found.append("<style>")
        self.found += [f"{tag} {name}" for name in names if name == "style" or name[:2] == "on"]
        for name in ("href", "src", "action"):
            value = names.get(name) or ""
            if value.startswith(("javascript:", "data:", "http:", "https:", "//")):
                self.found.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        self._within = None

    def handle_data(self, data: str) -> None:
        if self._within and data.strip():
            self.found.append(f"<{self._within}> {data.strip()[:40]}")


def test_stranger_is_sent_to_sign_in_and_back(ada: Any) -> None:
    """A deep link survives signing in."""
    client = Client()
    asked = client.get("/projects/7/")
    assert asked.status_code == 302
    assert asked["Location"] == "/sign-in/?next=/projects/7/"
    shown = client.get(asked["Location"])
    assert b'name="next" value="/projects/7/"' in shown.content
    data = {"username": "ada", "password": PASSWORD, "next": "/projects/7/"}
    done = client.post("/sign-in/", data)
    assert (done.status_code, done["Location"]) == (302, "/projects/7/")
    assert client.get("/projects/7/").status_code == 200


def test_sign_in_goes_nowhere_else(ada: Any) -> None:
    """A link that was sent by a stranger cannot lead to another site."""
    data = {"username": "ada", "password": PASSWORD, "next": "https://elsewhere.example/"}
    assert Client().post("/sign-in/", data)["Location"] == "/"


def test_wrong_password_is_said_and_keeps_the_name(ada: Any) -> None:
    """The page comes back with the reason, and with what was typed, escaped."""
    data = {"username": '"><i>ada', "password": "wrong"}
    shown = Client().post("/sign-in/", data)
    assert shown.status_code == 200
    assert b'role="alert"' in shown.content
    assert b"Please enter a correct" in shown.content
    assert b"<i>ada" not in shown.content


def test_signed_in_person_skips_the_sign_in_page(ada: Any) -> None:
    """Nobody signs in twice by accident."""
    client = Client()
    client.force_login(ada)
    assert client.get("/sign-in/")["Location"] == "/"


def test_sign_out_needs_a_post_with_its_token(ada: Any) -> None:
    """A link or a form elsewhere cannot sign anyone out."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").status_code == 403
    assert client.get("/").status_code == 200
    token = client.cookies["csrftoken"].value
    done = client.post("/sign-out/", {"csrfmiddlewaretoken": token})
    assert (done.status_code, done["Location"]) == (302, "/sign-in/")
    assert client.get("/").status_code == 302


def test_workspace_names_the_person_escaped_and_is_not_cached(ada: Any) -> None:
    """Names are data; and the former person's page must not come back by "back"."""
    client = Client()
    client.force_login(ada)
    shown = client.get("/")
    assert b"&lt;b&gt;&quot;Ada&quot;&lt;/b&gt;" in shown.content
    assert b'<b>"Ada"' not in shown.content
    assert f'data-user="{ada.pk}"'.encode() in shown.content
    assert "no-store" in shown["Cache-Control"]


@pytest.mark.parametrize("path", ["/", "/projects/999999999999999/", "/sign-in/"])
def test_pages_hold_nothing_inline(ada: Any, path: str) -> None:
    """What the policy refuses must not be there in the first place."""
    client = Client()
    if path != "/sign-in/":
        client.force_login(ada)
    shown = client.get(path)
    assert shown.status_code == 200
    inline = Inline()
    inline.feed(shown.content.decode())
    assert inline.found == []


def test_inline_parts_would_be_found() -> None:
    """The parser above sees each kind of what it looks for."""
    inline = Inline()
    inline.feed("<p style='a' onclick='b'><style>c</style><script>d</script><a href='//e'>f</a>")
    assert len(inline.found) == 6
