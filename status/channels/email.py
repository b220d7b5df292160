"""E-mail, by the backend that Django's settings name."""

import asyncio

from django.conf import settings
from django.core.mail import EmailMessage

from status.channels.notice import NotDelivered, Notice

TIMEOUT_S = 20.0


class Email:
    def __init__(self, address: str) -> None:
        self._address = address

    async def deliver(self, notice: Notice, key: str) -> None:
        """Raises NotDelivered."""
        lines = [
            notice.text,
            "",
            f"Rule: {notice.alert}",
            f"Component: {notice.component}",
            *([f"About: {notice.subject}"] if notice.subject else []),
            f"Value: {notice.value}, threshold: {notice.threshold:g}",
            *([f"Ended: {notice.ended}"] if notice.ended else []),
            *[f"> {sample}" for sample in notice.samples],
        ]
        # A header ends with its line: what is text of ours may hold none.
        subject = " ".join(notice.line.split())
        message = EmailMessage(
            subject,
            "\n".join(lines),
            settings.DEFAULT_FROM_EMAIL,
            [self._address],
            headers={"Message-ID": f"<status-{key}@{_host()}>"},
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await asyncio.to_thread(message.send)
        except (OSError, TimeoutError) as error:  # smtplib's errors are OSErrors
            raise NotDelivered(f"expected the mail to be taken, got {error!r}") from error


def _host() -> str:
    return settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("<> ") or "localhost"
