"""A data folder of its own for one measurement, and the environment of its processes."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# What is measured is the server: its worker and the embedder would count as its processes, and the
# context engine is the work of the worker.
ALONE = {"WORKER": "false", "EMBEDDER": "false", "CONTEXT_ENGINE": "false"}


@contextmanager
def temporary_site(prefix: str, database_url: str | None) -> Iterator[dict[str, str]]:
    """Variables for `manage.py`; the folder goes at the end. Without a URL: SQLite in it."""
    with tempfile.TemporaryDirectory(prefix=prefix) as folder:
        yield {
            **os.environ,
            **ALONE,
            "DATA_DIR": folder,
            # As deployed: DEBUG would write down every statement.
            "DEBUG": "false",
            "SECRET_KEY": secrets.token_urlsafe(40),
            "ALLOWED_HOSTS": "127.0.0.1",
            "DJANGO_SETTINGS_MODULE": "pm_project.settings",
            "DATABASE_URL": database_url or "",
            "PYTHONUNBUFFERED": "1",
        }
