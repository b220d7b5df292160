"""Changes that no socket made: the admin, a shell, a process that dies at the worst moment."""

import re
import subprocess
import time

import httpx

from tests.nodes.room import Room
from tests.promises.conftest import Cluster, Follow

POSITION_CHECK_S = 5.0  # the promise; the check itself is every 4 s


def test_process_that_dies_between_commit_and_sending(
    cluster: Cluster, room: Room, follow: Follow
) -> None:
    """Nobody was told, and yet the event arrives, by the position check."""
    followers = [follow(server).settle() for server in cluster.servers[:2]]
    died = subprocess.run(
        cluster.installation.command(
            "-m", "tests.promises.dying", str(room.project), str(room.writer["id"]), "last words"
        ),
        **cluster.installation.process_options(),
        capture_output=True,
        timeout=30,
        check=False,
    )
    committed = time.monotonic()
    assert died.returncode == 9, died.stderr
    for follower in followers:
        follower.wait_for(room.head + 1, POSITION_CHECK_S)
        assert follower.times[-1] - committed < POSITION_CHECK_S
        assert follower.events[-1]["data"]["message"]["body"] == "last words"


def test_memory_made_in_a_shell_reaches_connected_clients(
    cluster: Cluster, room: Room, follow: Follow
) -> None:
    """`manage.py shell -c`: its hint is flushed before the process ends."""
    followers = [follow(server) for server in cluster.servers[:2]]
    cluster.installation.manage(
        "shell",
        "-c",
        "from chat.models import Memory; "
        f"Memory.objects.create(project_id={room.project}, title='from a shell')",
    )
    for follower in followers:
        follower.wait_for(room.head + 1, 5)
        event = follower.events[-1]
        assert event["type"] == "memory_stored"
        assert event["data"]["memory"]["title"] == "from a shell"


def test_message_edited_in_the_admin_reaches_connected_clients(
    cluster: Cluster, room: Room, follow: Follow
) -> None:
    """Over HTTP, as a person does it with a browser."""
    admin = cluster.installation.demo()["admin"]
    cluster.backstage("post", project=room.project, author=room.writer["id"], count=1)
    follower = follow(cluster.servers[0])
    server = cluster.servers[1]
    with httpx.Client(base_url=server.http, follow_redirects=True, timeout=15) as browser:
        page = browser.get("/admin/login/")
        login = {"username": admin["username"], "password": admin["password"]}
        browser.post(
            "/admin/login/?next=/admin/", data={**login, "csrfmiddlewaretoken": token(page.text)}
        )
        listing = browser.get("/admin/chat/message/")
        key = max(
            int(found) for found in re.findall(r"/admin/chat/message/(\d+)/change/", listing.text)
        )
        path = f"/admin/chat/message/{key}/change/"
        form = fields(browser.get(path).text)
        done = browser.post(
            path, data={**form, "body": "put right by an administrator", "_save": "Save"}
        )
        assert "was changed successfully" in done.text, done.text[:2000]
    event = follower.wait_until_holds(lambda event: event["type"] == "message_updated", 5)
    assert event["data"]["message"]["body"] == "put right by an administrator"


def token(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found, page[:500]
    return found[1]


def fields(page: str) -> dict[str, str]:
    """What the form would send as it stands; empty fields stay empty."""
    form = {"csrfmiddlewaretoken": token(page)}
    for tag in re.findall(r"<input [^>]*>", page):
        name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and not name[1].startswith("_") and 'type="checkbox"' not in tag:
            form.setdefault(name[1], value[1] if value else "")
    for name, options in re.findall(r'<select name="([^"]+)".*?>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        form[name] = chosen[1] if chosen else ""
    return form
