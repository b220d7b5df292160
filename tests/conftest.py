"""What every test may rely on.

The suite runs on SQLite, or on PostgreSQL with DATABASE_URL set (`make test-postgres`). Servers
that tests start have databases of their own.
"""

import os
from contextlib import ExitStack
from typing import Any

import pytest
from django.conf import settings as django_settings
from xdist.remote import Producer

from pm_project.environment import read_environment
from tests.nodes.template import templates_of_this_run
from tests.sharing import Sharing, scheduler

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


def pytest_configure(config: pytest.Config) -> None:
    """Databases for servers that tests start are migrated once in a run."""
    if not hasattr(config, "workerinput"):
        stack = ExitStack()
        stack.enter_context(templates_of_this_run())
        config.add_cleanup(stack.close)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing | None:
    """Modules that share servers stay together."""
    return scheduler(config, log)


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """The real hasher takes a third of a second for each of the many people made in tests."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
