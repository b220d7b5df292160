"""`manage.py disconnect`: close a socket, or all sockets of a person, on whatever node they are."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from realtime.fleet.operations import KICKED, close_connection, close_user
from realtime.management.people import user_id_of
from realtime.protocol.errors import RealtimeError


class Command(BaseCommand):
    """The client is closed with 4409 and stays away until the person signs in again."""

    help = "Close one connection (see `nodes --connections`), or every one of a person."

    def add_arguments(self, parser: CommandParser) -> None:
        """One of the two."""
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--connection", metavar="ID")
        which.add_argument("--user", metavar="USERNAME")
        parser.add_argument(
            "--reason", default=KICKED, help="what the client of --connection reads"
        )

    def handle(self, **options: Any) -> None:
        """Say what was done. Raises CommandError."""
        try:
            if options["connection"] is not None:
                close_connection(options["connection"], options["reason"])
                print(f"Connection {options['connection']} is told to close.")
            else:
                close_user(user_id_of(options["user"]))
                print(f"Every connection of {options['user']} is told to close.")
        except RealtimeError as error:
            raise CommandError(error.message) from error
