"""`manage.py demo`: makes the demo if need be and prints how to sign in."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from chat.demo import Demo, DemoAccount, ensure_demo
from realtime.protocol.errors import RealtimeError


@contextmanager
def _folder_to_itself() -> Iterator[None]:
    """One demo per data folder at a time: two would migrate the same new file at once."""
    with (settings.PM.data_dir / "demo.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Command(BaseCommand):
    """Standard output holds the demo and nothing else."""

    help = "Print the demo project and its sign-ins, making them first if need be (DEBUG only)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
        parser.add_argument(
            "--new-keys", action="store_true", help="issue a new API key to every account"
        )

    def handle(self, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "expected DEBUG to be on, got off: the demo's accounts are only for trying things. "
                "Use createsuperuser and serve instead."
            )
        try:
            with _folder_to_itself():
                _migrated()
                demo = ensure_demo(new_keys=options["new_keys"])
        except (DatabaseError, RealtimeError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_as_json(demo) if options["json"] else _as_text(demo))


def _migrated() -> None:
    """Migrate our own SQLite file; of another database only say that somebody should."""
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    if settings.PM.database_url is not None:
        raise CommandError(
            "expected a migrated database, got one that lacks tables: run manage.py migrate"
        )
    call_command("migrate", verbosity=0, interactive=False)


def _as_json(demo: Demo) -> str:
    def keys(account: DemoAccount, *names: str) -> dict[str, Any]:
        return {name: getattr(account, name) for name in names}

    signing_in = ("username", "password", "api_key")
    return json.dumps(
        {
            "project": {"id": demo.project_id, "name": demo.project_name},
            "users": [keys(one, "id", *signing_in, "role") for one in demo.people],
            "admin": keys(demo.admin, *signing_in),
        }
    )


def _as_text(demo: Demo) -> str:
    lines = [f"Demo project: {demo.project_name}. Sign in as", ""]
    for one in (*demo.people, demo.admin):
        what = one.role or "administrator"
        lines.append(f"  {one.username:<10}  password {one.password}  ({one.name}, {what})")
        if one.api_key is not None:
            lines.append(f"  {'':<10}  API key  {one.api_key}  (not shown again)")
    return "\n".join([*lines, ""])
