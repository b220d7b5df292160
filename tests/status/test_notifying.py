"""Alerts told to channels by jobs of a real worker: retries, refusals, hanging receivers."""

import email
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from status.channels.webhook import TIMEOUT_S
from tests.nodes.backstage import Backstage
from tests.nodes.installation import temporary_installation
from tests.nodes.worker import WorkerProcess, working
from tests.status.receivers import Hooks, Mails, Posted, hooks, mails

SECRET = "of the operator's choice"
WITHIN_S = 90.0  # what hangs is given up after 10 s; attempts have pauses of 2 s and more


class Told:
    """One alert, told by one worker to a mail server and to web servers that do what they want."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.mails: Mails = stack.enter_context(mails(refusals=1))
        self.hooks: Hooks = stack.enter_context(
            hooks(
                {
                    "/once": [204],
                    "/fails-first": [500, 204],
                    "/hangs-first": [None, 204],
                    "/gone": [410],
                    "/moved": ["/inside"],
                    "/inside": [204],
                }
            )
        )
        self.hooks.script["/moved"] = [self.hooks.url("/inside")]
        installation = stack.enter_context(
            temporary_installation(
                folder,
                STATUS_MONITOR="false",
                EMBEDDER="false",
                DRAIN_WINDOW="0",
                WEBHOOK_ALLOW_PRIVATE="true",
                EMAIL_URL=f"smtp://127.0.0.1:{self.mails.port}",
                EMAIL_FROM="status@example.org",
            )
        )
        self.backstage = stack.enter_context(Backstage(installation))
        wanted = {
            path: {"kind": "webhook", "address": self.hooks.url(path), "secret": SECRET}
            for path in ("/once", "/fails-first", "/hangs-first", "/gone", "/moved")
        }
        wanted["mail"] = {"kind": "email", "address": "ops@example.org"}
        self.jobs: dict[str, int] = self.backstage("notify", channels=wanted)
        stack.enter_context(working(WorkerProcess(installation)))

    def ended(self, name: str, state: str) -> dict[str, Any]:
        """How the job of that channel stands, once it is in that state."""
        deadline = time.monotonic() + WITHIN_S
        while (found := self.backstage("attempts", job=self.jobs[name]))["state"] != state:
            assert time.monotonic() < deadline, f"expected {name} to be {state}, got {found}"
            time.sleep(0.1)
        return dict(found)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with ExitStack() as stack:
        yield Told(stack, tmp_path_factory.mktemp("notices"))


def signed(posted: Posted) -> bool:
    """As a receiver checks it."""
    text = posted.headers["x-status-timestamp"].encode() + b"." + posted.body
    mac = hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
    return posted.headers["x-status-signature"] == f"sha256={mac}"


def test_a_webhook_is_told_once_and_signed(told: Told) -> None:
    """With the job's id as the key."""
    assert told.ended("/once", "done")["attempt"] == 1
    [posted] = told.hooks.of("/once")
    assert signed(posted)
    assert posted.headers["x-status-delivery"] == str(told.jobs["/once"])
    data = json.loads(posted.body)["data"]
    assert (data["alert"], data["state"]) == ("redis.down", "opened")


def test_after_a_500_it_is_told_again(told: Told) -> None:
    """The same notice with the same key, signed anew."""
    assert told.ended("/fails-first", "done")["attempt"] == 2
    first, second = told.hooks.of("/fails-first")
    assert first.body == second.body
    assert first.headers["x-status-delivery"] == second.headers["x-status-delivery"]
    assert signed(first)
    assert signed(second)


def test_a_receiver_that_hangs_is_left_in_time_and_told_again(told: Told) -> None:
    """Nothing came: neither status nor end; others did not wait for it."""
    assert told.ended("/hangs-first", "done")["attempt"] == 2
    hung, taken = told.hooks.of("/hangs-first")
    assert TIMEOUT_S * 0.9 < hung.took_s < TIMEOUT_S * 3
    assert taken.headers["x-status-delivery"] == hung.headers["x-status-delivery"]


def test_a_redirect_into_the_own_network_is_not_followed(told: Told) -> None:
    """Even where private addresses are allowed; a person must give the final address."""
    found = told.ended("/moved", "dead")
    assert found["attempt"] == 1
    assert "expected an answer, got a redirect to" in found["error"]
    assert told.hooks.of("/inside") == []


def test_an_address_that_is_gone_is_not_tried_again(told: Told) -> None:
    """4xx is an answer."""
    assert told.ended("/gone", "dead")["attempt"] == 1
    assert len(told.hooks.of("/gone")) == 1


def test_a_mail_is_sent_again_after_a_refusal(told: Told) -> None:
    """To the server of EMAIL_URL; it arrives once."""
    assert told.ended("mail", "done")["attempt"] == 2
    [text] = told.mails.sent
    message = email.message_from_string(text)
    assert message["To"] == "ops@example.org"
    assert message["From"] == "status@example.org"
    assert message["Subject"] == "[critical] opened: Redis does not answer"
