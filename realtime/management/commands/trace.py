"""`manage.py trace`: the way of one event, from its commit to its readers."""

import json
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from realtime.protocol.errors import RealtimeError
from realtime.tracing.telling import find_event, told

_NAMES = {
    "committed": "committed",
    "published": "published",
    "received": "received",
    "handed_out": "handed out",
}


class Command(BaseCommand):
    """Needs no running server; steps are there where servers run with REALTIME_TRACE=on."""

    help = "Print the way of an event: committed, published, received, handed out, acknowledged."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("event", help="STREAM:SEQ, such as project.42:17, or the event's id")
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, **options: Any) -> None:
        try:
            found = told(find_event(options["event"]), timezone.now())
        except RealtimeError as error:
            raise CommandError(error.message) from error
        self.stdout.write(json.dumps(found) if options["json"] else _table(found))


def _table(found: dict[str, Any]) -> str:
    correlation = found["correlation"] or "none"
    lines = [
        f"{found['event']}  {found['type']}  id {found['id']}  correlation {correlation}",
        *_rows(found),
    ]
    people = "person" if found["acknowledged"] == 1 else "people"
    lines.append(f"{'acknowledged':<14}{'by now':<16}by {found['acknowledged']} {people}")
    if found["note"]:
        lines.append(found["note"])
    return "\n".join(lines)


def _rows(found: dict[str, Any]) -> list[str]:
    """A line for each step: its name, when (after the first one), where and what."""
    steps = found["steps"]
    if not steps:
        moment = datetime.fromisoformat(found["ts"])
        return [f"{'committed':<14}{_clock(moment):<16}"]
    first = steps[0]["at"]
    rows = []
    for step in steps:
        when = (
            _clock(datetime.fromtimestamp(first, UTC))
            if step is steps[0]
            else f"+{(step['at'] - first) * 1000:.1f} ms"
        )
        name = _NAMES.get(step["kind"], step["kind"])
        rows.append(f"{name:<14}{when:<16}{step['where']:<30}{_what(step)}".rstrip())
    return rows


def _clock(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]


def _what(step: dict[str, Any]) -> str:
    detail = step["detail"]
    match step["kind"]:
        case "published":
            return f"took {detail['took_ms']:.1f} ms"
        case "received":
            return f"by {detail['how']}" if detail["how"] == "hint" else str(detail["how"])
        case "handed_out":
            took_ms = (detail["last"] - detail["first"]) * 1000
            behind = f", {detail['behind']} behind" if detail["behind"] else ""
            readers = "reader" if detail["at_once"] == 1 else "readers"
            return f"to {detail['at_once']} {readers} within {took_ms:.1f} ms{behind}"
        case _:
            return ""
