"""`/metrics` and its twin in JSON: what is told, and to whom."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from chat.models import User
from pm_project.environment import Environment
from realtime.metrics.core import COMMAND_S, CONNECTS
from realtime.metrics.kinds import known
from realtime.metrics.ledger import Totals
from realtime.models import ApiKey
from status.exposition import Distribution, Family, families

# The view reads in a thread of its own, which sees what is committed.
committed = pytest.mark.django_db(transaction=True)

TOKEN = "a-token-of-prometheus"


def key_of(name: str, *rights: str) -> dict[str, str]:
    user = User.objects.create(username=name)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return {"Authorization": f"Api-Key {ApiKey.issue(user.pk, 'x')[1]}"}


@pytest.fixture
def scraper(settings: Any, transactional_db: None) -> Client:
    """Somebody with the token."""
    settings.PM = settings.PM.model_copy(
        update={"metrics_token": Environment(metrics_token=TOKEN).metrics_token}
    )
    return Client(headers={"Authorization": f"Bearer {TOKEN}"})


def scraped(client: Client) -> dict[str, Any]:
    """Families by name, as Prometheus' own parser reads them."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"].startswith("text/plain; version=")
    return {one.name: one for one in text_string_to_metric_families(answer.content.decode())}


def test_every_metric_is_told(scraper: Client) -> None:
    """With its type and its text; histograms cumulative, with their sum."""
    CONNECTS.total += 1
    COMMAND_S.observe(0.002)
    found = scraped(scraper)
    assert {f"pm_{name}" for name in known()} <= found.keys()
    [connects] = found["pm_connects"].samples
    assert connects.value >= 1
    assert found["pm_connects"].type == "counter"
    samples = found["pm_command_seconds"].samples
    buckets = [one.value for one in samples if one.name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    [count] = [one.value for one in samples if one.name.endswith("_count")]
    assert count == buckets[-1] >= 1
    assert found["pm_metrics_complete"].samples[0].value == 1


@pytest.mark.django_db
def test_the_same_in_json() -> None:
    """For whoever may see the status."""
    client = Client(headers=key_of("olga", "view_status"))
    found = client.get("/api/websocket/metrics").json()
    assert found["complete"] is True
    by_name = {one["name"]: one for one in found["metrics"]}
    assert by_name["command_seconds"]["count"] == by_name["command_seconds"]["buckets"]["+Inf"]
    measures = client.get("/api/status/metrics").json()["measures"]
    assert {"cpu.percent", "sockets.count"} <= {one["name"] for one in measures}
    stranger = Client(headers=key_of("sam"))
    assert stranger.get("/api/websocket/metrics").status_code == 403
    assert stranger.get("/api/status/metrics").status_code == 403


@pytest.mark.parametrize(
    "given", ["", "Bearer wrong-token-of-prometheus", f"Basic {TOKEN}", "Bearer"]
)
def test_strangers_are_told_nothing(scraper: Client, given: str) -> None:
    """No header, a wrong token, a wrong scheme, none at all."""
    answer = Client(headers={"Authorization": given} if given else {}).get("/metrics")
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert b"pm_" not in answer.content


@committed
def test_operators_need_no_token() -> None:
    """Who may see the status may read it here too; others may not."""
    assert Client(headers=key_of("olga", "view_status")).get("/metrics").status_code == 200
    assert Client(headers=key_of("sam")).get("/metrics").status_code == 403


@committed
@pytest.mark.parametrize(
    ("near", "status"), [((), 401), (("10.0.0.0/8",), 401), (("::1", "127.0.0.0/8"), 200)]
)
def test_addresses_may_stand_for_a_token(settings: Any, near: tuple[str, ...], status: int) -> None:
    settings.PM = settings.PM.model_copy(update={"metrics_addresses": near})
    assert Client().get("/metrics").status_code == status


def test_it_is_only_read(scraper: Client) -> None:
    assert scraper.post("/metrics").status_code == 405


def test_half_sums_are_not_told() -> None:
    """Where not all could be asked there are gauges, and a sign of it."""
    told = list(families(Totals({}, {"connections": 3.0}, complete=False), None))
    assert not any(isinstance(one, Distribution) for one in told)
    by_name = {one.name: one for one in told if isinstance(one, Family)}
    assert by_name["metrics_complete"].samples == [((), 0.0)]
    assert by_name["connections"].samples == [((), 3.0)]
    assert all(one.kind == "gauge" for one in by_name.values())


def test_states_of_components() -> None:
    """What is unknown is left out: it is neither good nor bad."""
    health = {"parts": {"redis": "down", "jobs": "unknown"}, "values": {"cpu.percent": 7.5}}
    by_name = {one.name: one for one in families(Totals({}, {}), health)}
    states, measures = by_name["component_state"], by_name["measure"]
    assert isinstance(states, Family)
    assert isinstance(measures, Family)
    assert states.samples == [(("redis",), 2.0)]
    assert measures.samples == [(("cpu.percent",), 7.5)]
