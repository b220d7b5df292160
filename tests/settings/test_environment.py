"""The environment: every variable documented with its default, every wrong value told plainly."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pm_project import environment
from pm_project.environment import ROOT, Environment, EnvironmentInvalid, read_environment

EXAMPLE = ROOT / ".env.example"
FIELDS = Environment.model_fields
_VARIABLE = re.compile(r"^([A-Z_]+)=(.*)$", re.MULTILINE)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of our variables is set, and this machine's own .env is not read."""
    for name in FIELDS:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setitem(Environment.model_config, "env_file", None)


def documented() -> dict[str, str]:
    return dict(_VARIABLE.findall(EXAMPLE.read_text()))


def test_example_names_every_variable_once_and_no_other() -> None:
    """A variable that is not in `.env.example` does not exist for whoever sets the site up."""
    names = [name for name, _ in _VARIABLE.findall(EXAMPLE.read_text())]
    assert sorted(names) == sorted(name.upper() for name in FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_example_gives_the_default(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file shows is what happens when the variable is absent."""
    monkeypatch.setenv(name.upper(), documented()[name.upper()])
    example = getattr(read_environment(), name)
    monkeypatch.delenv(name.upper())
    assert example == getattr(read_environment(), name)
    if FIELDS[name].default is None or FIELDS[name].default == ():
        assert documented()[name.upper()] == ""
    else:
        assert documented()[name.upper()] != ""


@pytest.mark.parametrize("name", FIELDS)
def test_example_says_what_each_variable_is(name: str) -> None:
    """Directly above it: a sentence, and its unit or the values it takes."""
    above = EXAMPLE.read_text().split(f"\n{name.upper()}=")[0].split("\n\n")[-1]
    lines = above.splitlines()
    assert lines
    assert all(line.startswith("# ") for line in lines)
    comment = " ".join(line.removeprefix("# ") for line in lines)
    assert comment.endswith(".")
    # "seconds from 0.1 to 300" and the like stand there as a wrong value is answered.
    if "from" in str(FIELDS[name].description):
        assert str(FIELDS[name].description).lower() in comment.lower()


def test_example_copied_to_env_changes_nothing(tmp_path: Path) -> None:
    """The file itself is read without a complaint and gives the defaults."""
    copied = tmp_path / ".env"
    copied.write_text(EXAMPLE.read_text())
    assert Environment(_env_file=copied) == Environment()


WRONG = [
    ("DEBUG", "perhaps"),
    ("HOST", "http://127.0.0.1"),
    ("HOST", "my host"),
    ("DATA_DIR", "/dev/null/data"),
    ("SECRET_KEY", "too short"),
    ("DATABASE_URL", "mysql://host/name"),
    ("DATABASE_URL", "postgres://host:port/name"),
    ("DATABASE_FAILOVER", "maybe"),
    ("DATABASE_PREPARED", "maybe"),
    ("LOG_FORMAT", "xml"),
    ("REALTIME_TRACE", "sometimes"),
    ("REALTIME_OTEL", "3"),
    ("REDIS_URL", "http://host"),
    ("REDIS_URL", "redis+sentinel://host:26379/mymaster"),
    ("METRICS_TOKEN", "too short"),
    ("METRICS_TOKEN", "sixteen characters, but with spaces"),
    ("METRICS_ADDRESSES", "monitoring.example.org"),
    ("METRICS_ADDRESSES", "10.0.0.0/33"),
    ("WEBSOCKET_ENABLED", "2"),
    ("WEBSOCKET_PORT", "abc"),
    ("WEBSOCKET_PORT", "0"),
    ("WEBSOCKET_PORT", "65536"),
    ("WEBSOCKET_CORS_ORIGINS", "app.example.org"),
    ("WEBSOCKET_CORS_ORIGINS", "https://app.example.org/path"),
    ("TRUSTED_PROXIES", "proxy.example.org"),
    ("TRUSTED_PROXIES", "*"),
    ("TRUSTED_PROXIES", "127.0.0.1,10.0.0.1/8"),
    ("WEBSOCKET_HEARTBEAT_INTERVAL", "0.9"),
    ("WEBSOCKET_HEARTBEAT_INTERVAL", "301"),
    ("WEBSOCKET_HEARTBEAT_INTERVAL", "nan"),
    ("WEBSOCKET_CONNECTION_TIMEOUT", "0.9"),
    ("WEBSOCKET_CONNECTION_TIMEOUT", "inf"),
    ("WEBSOCKET_SLOW_TIMEOUT", "0"),
    ("WEBSOCKET_MAX_CONNECTIONS", "0"),
    ("WEBSOCKET_MAX_CONNECTIONS", "1.5"),
    ("WEBSOCKET_MAX_MESSAGE_BYTES", "1023"),
    ("WEBSOCKET_MAX_MESSAGE_BYTES", "64k"),
    ("WEBSOCKET_TICKET_LIMIT", "0"),
    ("WEBSOCKET_NEWCOMERS_PER_ADDRESS", "501"),
    ("DRAIN_WINDOW", "soon"),
    ("DRAIN_WINDOW", "601"),
    ("WORKER", "maybe"),
    ("WORKER_CONCURRENCY", "0"),
    ("WORKER_CONCURRENCY", "10001"),
    ("JOB_LEASE", "0.9"),
    ("JOB_LEASE", "601"),
    ("VECTOR_INDEX", "disk"),
    ("EMBEDDER", "maybe"),
    ("CONTEXT_ENGINE", "maybe"),
    ("MEMORY_HALF_LIFE_DAYS", "0"),
    ("MEMORY_HALF_LIFE_DAYS", "3651"),
    ("EVENT_RETENTION_DAYS", "0"),
    ("EVENT_RETENTION_COUNT", "many"),
    ("BROADCAST_RETENTION_DAYS", "0"),
    ("BROADCAST_LIMIT_SYSTEM", "0"),
    ("BROADCAST_LIMIT_PROJECT", "many"),
    ("BROADCAST_LIMIT_USER", "100001"),
    ("AUDIT_RETENTION_DAYS", "0"),
    ("REALTIME_STATUS_UPDATES", "sometimes"),
    ("REALTIME_MEMORY_UPDATES", "sometimes"),
    ("REALTIME_CHAT_BROADCASTING", "sometimes"),
    ("STATUS_MONITOR", "sometimes"),
    ("WEBHOOK_ALLOW_PRIVATE", "10.0.0.0/8"),
    ("EMAIL_URL", "http://mail.example.org"),
    ("EMAIL_URL", "smtp://:25"),
    ("EMAIL_URL", "smtp://mail.example.org:mail"),
    ("EMAIL_FROM", "status"),
    ("EMAIL_FROM", "status@example.org\r\nBcc: everyone@example.org"),
    ("AI_MODEL", "gpt"),
    ("AI_MODEL", "openai:"),
    ("AI_BASE_URL", "localhost:11434"),
    ("AI_BASE_URL", "http://[::1"),
    ("AI_BASE_URL", "http://127.0.0.1:99999/v1"),
    ("AI_BASE_URL", "http://:80"),
    ("AI_API_KEY", "two words"),
    ("AI_TIMEOUT_S", "0"),
    ("AI_TIMEOUT_S", "601"),
    ("AI_MAX_CONCURRENT", "0"),
    ("AI_MAX_CONCURRENT", "1.5"),
]
# Any text is a host name or an address until it is used.
FREE = {"ALLOWED_HOSTS", "HOST"}


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_value_is_refused_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line: the variable, what was expected, what came."""
    monkeypatch.setenv(name, value)
    with pytest.raises(EnvironmentInvalid) as raised:
        read_environment()
    text = str(raised.value)
    assert "\n" not in text
    assert text.startswith(f"{name}: expected {FIELDS[name.lower()].description}, got ")


def test_every_variable_has_a_wrong_value_here() -> None:
    """A new variable cannot be forgotten above."""
    assert {name for name, _ in WRONG} | FREE == {name.upper() for name in FIELDS}


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets the site up corrects them in one go."""
    monkeypatch.setenv("WEBSOCKET_PORT", "abc")
    monkeypatch.setenv("DRAIN_WINDOW", "soon")
    with pytest.raises(EnvironmentInvalid) as raised:
        read_environment()
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == [
        "WEBSOCKET_PORT",
        "DRAIN_WINDOW",
    ]


def test_secret_is_needed_outside_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines of one site must share it, so it cannot be made up."""
    monkeypatch.setenv("DEBUG", "false")
    with pytest.raises(EnvironmentInvalid, match=r"^SECRET_KEY: expected .* got none$"):
        read_environment()
    monkeypatch.setenv("SECRET_KEY", "s" * 32)
    assert read_environment().debug is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "hunter2"),
        ("DATABASE_URL", "mysql://ada:hunter2@db.example.org/pm"),
        ("REDIS_URL", "redis//:hunter2@cache.example.org:6379"),
        ("EMAIL_URL", "imap://ada:hunter2@mail.example.org"),
    ],
)
def test_secrets_are_never_printed(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even in the sentence about a wrong value: it ends up in logs."""
    monkeypatch.setenv(name, value)
    with pytest.raises(EnvironmentInvalid) as raised:
        read_environment()
    assert str(raised.value).startswith(f"{name}: expected ")
    assert "hunter2" not in str(raised.value)


def test_empty_value_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `.env.example`, where what has no default is left empty."""
    for name in FIELDS:
        monkeypatch.setenv(name.upper(), "")
    assert read_environment() == Environment()


def test_lists_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces do not count; origins are compared in lower case."""
    monkeypatch.setenv("WEBSOCKET_CORS_ORIGINS", "https://App.Example.org , http://localhost:3000,")
    found = read_environment().websocket_cors_origins
    assert found == ("https://app.example.org", "http://localhost:3000")


def test_relative_data_folder_is_the_projects(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not the folder that a command happened to be started in."""
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setenv("DATA_DIR", "elsewhere")
    assert read_environment().data_dir == tmp_path / "elsewhere"
    assert (tmp_path / "elsewhere").is_dir()


def test_proxies_may_be_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of both versions of IP."""
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.7,::1")
    assert read_environment().trusted_proxies == ("10.0.0.0/8", "192.0.2.7", "::1")


def manage_check(data_dir: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(data_dir), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_wrong_value_stops_the_start_with_one_line(tmp_path: Path) -> None:
    """A real start: status 1 and no traceback."""
    ended = manage_check(tmp_path, WEBSOCKET_PORT="abc")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == "WEBSOCKET_PORT: expected a port from 1 to 65535, got 'abc'\n"


def test_right_values_start(tmp_path: Path) -> None:
    """The same start without the wrong value, so that the test above fails for its reason only."""
    assert manage_check(tmp_path, WEBSOCKET_PORT="8123").returncode == 0
