"""What every test may rely on.

The suite runs on SQLite, or on PostgreSQL with DATABASE_URL set (`make test-postgres`). Servers
that tests start have databases of their own.
"""

import os
from typing import Any

import pytest
from django.conf import settings as django_settings

from pm_project.environment import read_environment

# Servers that tests start inherit it. Those that are about jobs ask for a worker.
os.environ["WORKER"] = "false"
# Likewise a language model costs each of them two seconds of CPU.
os.environ["EMBEDDER"] = "false"
# Tests of other things count events and jobs. Those that are about the context engine ask for it.
os.environ["CONTEXT_ENGINE"] = "false"
# Likewise events of `status`, and a write every two seconds. Those about the monitor ask for it.
os.environ["STATUS_MONITOR"] = "false"
# pytest-django has read them already; only the workers of pytest-xdist inherit what is set here.
django_settings.PM = read_environment()
# Tests that commit are followed by a TRUNCATE of every table, which the audit log's guard refuses.
_database = django_settings.DATABASES["default"]
if _database["ENGINE"].endswith("postgresql"):
    _database["OPTIONS"]["options"] += " -c realtime.empty_audit=on"


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """The real hasher takes a third of a second for each of the many people made in tests."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
