"""`manage.py import_issues`: problem reports, one JSON object a line, into a project."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils.text import Truncator
from tqdm import tqdm

from chat.importing import Report, Stored, read_reports, store_reports
from chat.models import Project, User
from realtime import publisher
from realtime.protocol.errors import RealtimeError

_MAX_BATCH = 500
_MAX_ID = 10**18
_FLUSH_TIMEOUT_S = 5.0
_MAX_NAMED = 5  # projects in a message
_INTERRUPTED = 130  # what shells report for SIGINT


@dataclass(slots=True)
class Tally:
    """What an import has done so far."""

    imported: int = 0
    known: int = 0
    events: int = 0
    broken: int = 0

    def add(self, stored: Stored) -> None:
        self.imported += stored.imported
        self.known += stored.known
        self.events += stored.events


def _from_one_to(most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        # The length first: int() of an endless number is an error of its own.
        digits = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
        if not digits or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(
                f"expected a number from 1 to {most}, got {text[:40]!r}"
            )
        return int(text)

    return parse


class Command(BaseCommand):
    """Exits 0 when every line was fine, 1 when some were broken and the rest is in."""

    help = (
        'Import problem reports, one {"id", "title", "text", "repo"} a line: a memory and a '
        "message each. What the project has already is left alone, so it can be run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="a JSON Lines file")
        parser.add_argument(
            "--project", required=True, type=_from_one_to(_MAX_ID), help="the project's id"
        )
        parser.add_argument("--author", help="whose messages they are (default: nobody's)")
        parser.add_argument(
            "--batch-size",
            type=_from_one_to(_MAX_BATCH),
            default=25,
            help="reports in one transaction (default 25)",
        )

    def handle(self, **options: Any) -> None:
        tally = Tally()
        started = time.perf_counter()
        try:
            if not Project.objects.filter(pk=options["project"]).exists():
                raise CommandError(_no_project(options["project"]))
            author = _author(options["author"])
            with options["file"].open("rb") as file:
                self._import(file, options["project"], author, options["batch_size"], tally)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            wrong = f"expected a readable file, got {options['file']}: {reason}"
            raise CommandError(wrong) from error
        except (DatabaseError, RealtimeError) as error:
            reason = str(error).strip()
            raise CommandError(f"{reason} (run it again: it goes on where it stopped)") from error
        except KeyboardInterrupt as error:
            stopped = "stopped; run it again and it goes on from here"
            raise CommandError(stopped, returncode=_INTERRUPTED) from error
        finally:
            if tally != Tally():
                self._report(tally, started)
        if tally.broken:
            raise SystemExit(1)

    def _import(
        self, file: BinaryIO, project_id: int, author: User | None, batch_size: int, tally: Tally
    ) -> None:
        batch: list[Report] = []
        with _progress(file) as bar:
            for line in read_reports(file):
                if isinstance(line.found, Report):
                    batch.append(line.found)
                else:
                    tally.broken += 1
                    with tqdm.external_write_mode(file=sys.stderr):
                        self.stderr.write(f"line {line.number}: {line.found.message}")
                if len(batch) == batch_size:
                    tally.add(store_reports(project_id, author, batch))
                    batch.clear()
                    bar.set_postfix_str(f"{tally.imported} imported", refresh=False)
                bar.update(line.size)
            if batch:
                tally.add(store_reports(project_id, author, batch))

    def _report(self, tally: Tally, started: float) -> None:
        """One line on standard output, once the connected clients have been told."""
        announced = publisher.publisher()
        told = announced.flush(_FLUSH_TIMEOUT_S) and not announced.failed + announced.dropped
        elapsed_s = time.perf_counter() - started
        self.stdout.write(
            f"imported {tally.imported} issues ({tally.events} events) in {elapsed_s:.2f} s, "
            f"{tally.events / elapsed_s:.0f} events/s; {tally.known} already there; "
            f"{tally.broken} broken"
        )
        if tally.events and not told:
            self.stderr.write(
                "hints did not get through (is a server running?); clients that are connected "
                "catch up within 5 s, when their server checks its positions"
            )


def _no_project(project_id: int) -> str:
    """What there is instead, or how to make one."""
    wrong = f"--project: expected a project's id, got {project_id}"
    rows = list(Project.objects.order_by("pk").values_list("pk", "name")[: _MAX_NAMED + 1])
    if not rows:
        return f"{wrong}; there is none yet (`manage.py demo` makes one, and so does the admin)"
    names = ", ".join(f"{key} ({Truncator(name).chars(40)})" for key, name in rows[:_MAX_NAMED])
    return f"{wrong}; there are {names}{', and more' if len(rows) > _MAX_NAMED else ''}"


def _author(username: str | None) -> User | None:
    if username is None:
        return None
    user: User | None = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"--author: expected an active account's username, got {username!r}")
    return user


def _progress(file: BinaryIO) -> "tqdm[Any]":
    """By bytes, because counting the lines would read the file twice; a pipe has no size."""
    size = os.fstat(file.fileno()).st_size
    return tqdm(
        total=size or None, unit="B", unit_scale=True, desc=Path(file.name).name, file=sys.stderr
    )
