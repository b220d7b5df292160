"""From a row to the channel that it means."""

from collections.abc import Callable

from status.channels.email import Email
from status.channels.notice import Channel
from status.channels.webhook import Webhook
from status.conf import options
from status.models import ChannelKind, NotificationChannel


def _email(row: NotificationChannel) -> Channel:
    return Email(row.address)


def _webhook(row: NotificationChannel) -> Channel:
    return Webhook(row.address, row.secret, allow_private=options().webhook_allow_private)


_KINDS: dict[str, Callable[[NotificationChannel], Channel]] = {
    ChannelKind.EMAIL: _email,
    ChannelKind.WEBHOOK: _webhook,
}


def channel_of(row: NotificationChannel) -> Channel:
    return _KINDS[row.kind](row)
