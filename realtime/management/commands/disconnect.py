"""`manage.py disconnect`: close a socket, or all sockets of a person, on whatever node they are."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from realtime.fleet.operations import close_connection, close_user
from realtime.management.fleet import advice
from realtime.management.people import user_id_of
from realtime.protocol.errors import RealtimeError
from realtime.security.endings import KICKED


class Command(BaseCommand):
    """The client is closed with 4409 and stays away until somebody reloads the page."""

    help = "Close one connection (see `nodes --connections`), or every one of a person."

    def add_arguments(self, parser: CommandParser) -> None:
        """One of the two."""
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "--connection", metavar="ID", help="one socket, by its id from `nodes --connections`"
        )
        which.add_argument(
            "--user", metavar="USERNAME", help="every socket of this person; they may come again"
        )
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
            raise CommandError(advice(error)) from error
