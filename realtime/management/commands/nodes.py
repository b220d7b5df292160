"""`manage.py nodes`: which server processes run, and who is connected to them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from realtime.fleet.operations import list_connections, list_nodes
from realtime.management.fleet import advice
from realtime.management.people import user_id_of
from realtime.protocol.errors import RealtimeError


class Command(BaseCommand):
    """Reads the registry in Redis; a node is listed for 15 s after its last word."""

    help = "List the server nodes, oldest first; with --connections their sockets too."

    def add_arguments(self, parser: CommandParser) -> None:
        """Both options print connection ids, which `disconnect` takes."""
        parser.add_argument("--connections", action="store_true", help="list the sockets, too")
        parser.add_argument("--user", metavar="USERNAME", help="list the sockets of one person")

    def handle(self, **options: Any) -> None:
        """Print a line each. Raises CommandError."""
        username = options["user"]
        try:
            user_id = user_id_of(username) if username is not None else None
            nodes = list_nodes()
            wanted = options["connections"] or username is not None
            connections = list_connections(user_id) if wanted else []
        except RealtimeError as error:
            raise CommandError(advice(error)) from error
        if not nodes:
            print("No server runs here: the registry answers and lists none.")
            return
        print(
            f"{'node':12}  {'host':20}  {'pid':>7}  {'version':8}  {'state':8}  "
            f"{'up':>9}  {'connections':>11}"
        )
        for node in nodes:
            print(
                f"{node.id:12}  {node.host[:20]:20}  {node.pid:7}  {node.version:8}  "
                f"{node.state:8}  {_age(node.up_s):>9}  {node.connections:11}"
            )
        for connection in connections:
            print(
                f"{connection.id}  node {connection.node}  user {connection.user_id}  "
                f"open {_age(connection.open_s)}"
            )


def _age(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}"
