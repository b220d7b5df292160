"""`manage.py vector_index`: have pgvector used that was installed after the tables were made."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from chat.search import pgvector


class Command(BaseCommand):
    """`migrate` does the same where the extension is there already."""

    help = "Keep vectors in PostgreSQL's pgvector, so that no embedder keeps them in memory."

    def handle(self, **options: Any) -> None:
        if connection.vendor != "postgresql":
            raise CommandError(f"expected PostgreSQL, got {connection.vendor}")
        if not pgvector.prepare():
            raise CommandError(
                "expected the extension `vector`, got none: install pgvector, and have a superuser "
                "run CREATE EXTENSION vector in this database"
            )
        done = 0
        while made := pgvector.complete():
            done += made
        self.stdout.write(f"PostgreSQL finds vectors itself; {done} were copied")
