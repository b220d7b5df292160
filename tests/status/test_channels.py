"""Channels: what is sent, what is refused, and what is tried again."""

import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.core import mail

from status.channels import webhook
from status.channels.addresses import is_public, target_of
from status.channels.email import Email
from status.channels.notice import NotDelivered, Notice
from status.channels.webhook import Webhook

NOTICE = Notice(
    id=7,
    alert="cpu.busy",
    state="opened",
    severity="warning",
    component="cpu",
    subject="",
    text="A process uses a whole core",
    value=97.5,
    threshold=90.0,
    samples=("one", "two"),
)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Receiver:
    """A server on the loopback that answers as it is told, and keeps what it was sent."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.requests: list[tuple[dict[str, str], bytes]] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")
        headers = {"": first, **dict(line.lower().split(": ", 1) for line in lines if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((headers, body))
        if self.answer is not None:
            writer.write(self.answer)
        else:
            await reader.read()  # until the other side gives up
        writer.close()


def delivered(answer: bytes | None, path: str = "/hook?x=1") -> Receiver:
    """What a receiver was sent. Raises NotDelivered."""
    receiver = Receiver(answer)

    async def scenario() -> None:
        async with await asyncio.start_server(receiver.handle, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            url = f"http://127.0.0.1:{port}{path}"
            await Webhook(url, "secret", allow_private=True).deliver(NOTICE, "job-1")

    asyncio.run(scenario())
    return receiver


def test_a_webhook_gets_signed_json() -> None:
    """As a receiver checks it: HMAC over time and body, and a key to know repetitions by."""
    receiver = delivered(b"HTTP/1.1 204 No Content\r\n\r\n")
    [(headers, body)] = receiver.requests
    assert headers[""] == "POST /hook?x=1 HTTP/1.1"
    signed = headers["x-status-timestamp"].encode() + b"." + body
    expected = hmac.new(b"secret", signed, hashlib.sha256).hexdigest()
    assert headers["x-status-signature"] == f"sha256={expected}"
    assert headers["x-status-delivery"] == "job-1"
    assert json.loads(body) == {"type": "performance_alert", "data": NOTICE.data}


@pytest.mark.parametrize(
    ("answer", "text", "final"),
    [
        (b"HTTP/1.1 500 Oh\r\n\r\n", "expected a status of 200 to 299, got 500", False),
        (b"HTTP/1.1 429 Slow\r\n\r\n", "expected a status of 200 to 299, got 429", False),
        (b"HTTP/1.1 410 Gone\r\n\r\n", "expected a status of 200 to 299, got 410", True),
        (
            b"HTTP/1.1 307 There\r\nLocation: http://10.0.0.1/\r\n\r\n",
            "expected an answer, got a redirect to 'http://10.0.0.1/'",
            True,
        ),
        (b"220 mail.example.org ESMTP\r\n\r\n", "expected an answer over HTTP", False),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000, "expected an answer over HTTP", False),
        (b"", "expected an answer over HTTP", False),
    ],
)
def test_every_other_answer_is_no_delivery(answer: bytes, text: str, final: bool) -> None:
    """Redirects are not followed; what can be mended only by a person is not tried again."""
    with pytest.raises(NotDelivered) as raised:
        delivered(answer)
    assert str(raised.value).startswith(text)
    assert raised.value.final is final


def test_a_webhook_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One limit for everything together, not one for each byte."""
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.2)
    with pytest.raises(NotDelivered, match=r"expected an answer within 0\.2 s") as raised:
        delivered(None)
    assert not raised.value.final


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.1.2.3", "169.254.169.254"])
def test_private_addresses_are_refused_before_anything_is_sent(host: str) -> None:
    """By address and by name."""
    hook = Webhook(f"http://{host}:9/", "secret", allow_private=False)
    with pytest.raises(NotDelivered, match="expected a public address") as raised:
        asyncio.run(hook.deliver(NOTICE, "1"))
    assert raised.value.final


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("192.168.1.1", False),
        ("172.16.0.1", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:0a00:0001::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    """Also private ones that are wrapped in another notation."""
    assert is_public(address) is public


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://example.org/", "begins with https://"),
        ("https://", "with a host"),
        ("https://user:pass@example.org/", "without a user"),
        ("https://example.org/a b", "without spaces"),
        ("https://example.org/\r\nX: y", "without spaces"),
        ("https://example.org:99999/", "out of range"),
        ("https://example.org/" + "a" * 500, "500 printable characters"),
    ],
)
def test_addresses_that_are_none_say_why(url: str, text: str) -> None:
    """What an administrator typed."""
    with pytest.raises(ValueError, match=re.escape(text)):
        target_of(url)


def test_a_mail_says_what_and_how_much(settings: Any) -> None:
    """By whatever backend Django has; a text with line feeds ends no header."""
    notice = Notice.of({**NOTICE.data, "text": "A process\nBcc: everyone@example.org"})
    asyncio.run(Email("ops@example.org").deliver(notice, "9"))
    [message] = mail.outbox
    assert message.to == ["ops@example.org"]
    assert message.subject == "[warning] opened: A process Bcc: everyone@example.org"
    assert "Value: 97.5, threshold: 90" in message.body
    assert "> two" in message.body


def test_a_mail_that_is_not_taken_is_tried_again(settings: Any) -> None:
    """The backend's error is the channel's."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    with pytest.raises(NotDelivered) as raised:
        asyncio.run(Email("ops@example.org").deliver(NOTICE, "9"))
    assert not raised.value.final


def test_a_notice_goes_through_a_job_unchanged() -> None:
    """Its arguments are JSON."""
    again: Any = json.loads(json.dumps(NOTICE.data))
    assert Notice.of(again) == NOTICE
