"""The id of a cause: taken, made, carried to database threads, into events and into jobs."""

import asyncio
import io
import logging
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path

from realtime.database import in_database
from realtime.jobs.chores import clean_up_jobs
from realtime.jobs.once import enqueue_once
from realtime.log.entries import EventDraft
from realtime.log.writing import publish
from realtime.models import Event, Job
from realtime.tracing.correlation import (
    Correlation,
    carried,
    correlated,
    parsed,
    present_id,
    well_formed,
)
from realtime.tracing.logs import LineFormatter

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("given", ["a", "my-request.1", "A1:b_2", "0" * 64])
def test_callers_id_is_taken(given: str, client: Client) -> None:
    """And comes back with the answer."""
    assert client.get("/livez", headers={"X-Request-ID": given})["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "0" * 65, "a b", "x\ty", "a~b", "-a", "é", "a=1", '"'])
def test_malformed_id_is_replaced(given: str, client: Client) -> None:
    """By one of ours: it would stand in log lines and names."""
    found = client.get("/livez", headers={"X-Request-ID": given})["X-Request-ID"]
    assert found != given
    assert len(found) == 32
    assert well_formed(found)


def test_each_request_has_an_id_of_its_own(client: Client) -> None:
    """Also those of an asynchronous server; nothing is left behind."""
    first, second = (client.get("/livez")["X-Request-ID"] for _ in range(2))
    assert first != second

    async def ask() -> str:
        found = await AsyncClient().get("/livez", headers={"X-Request-ID": "async-1"})
        assert present_id() is None
        return str(found["X-Request-ID"])

    assert async_to_sync(ask)() == "async-1"
    assert present_id() is None


def test_carried_text_is_read_back() -> None:
    """With and without a span; anything else is nobody's id."""
    for given in (Correlation("ab.1"), Correlation("ab.1", PARENT)):
        assert parsed(given.carried()) == given
    assert parsed(None) is None
    assert parsed("a b") is None
    assert parsed("ab~nonsense") == Correlation("ab")


def test_database_threads_act_for_the_same_cause() -> None:
    """And for nobody afterwards: the thread is used again."""

    async def ask() -> tuple[str | None, str | None]:
        with correlated(Correlation("ab.1")):
            inside = await in_database(carried)
        return inside, await in_database(carried)

    assert async_to_sync(ask)() == ("ab.1", None)


def test_tasks_inherit_the_cause_and_keep_it_to_themselves() -> None:
    """Two commands at a time do not mix."""

    async def work(name: str) -> str | None:
        with correlated(Correlation(name)):
            await asyncio.sleep(0)
            return await asyncio.create_task(later())

    async def later() -> str | None:
        await asyncio.sleep(0)
        return present_id()

    async def both() -> list[Any]:
        return list(await asyncio.gather(work("a"), work("b")))

    assert async_to_sync(both)() == ["a", "b"]


@pytest.mark.django_db(transaction=True)
def test_event_keeps_the_id_and_does_not_show_it() -> None:
    """Clients' frames stay as they are."""
    with correlated(Correlation("ab.1", PARENT)), transaction.atomic():
        publish("system", EventDraft("maintenance_mode", {"on": False, "text": "soon"}))
    with transaction.atomic():
        publish("system", EventDraft("maintenance_mode", {"on": False, "text": "soon"}))
    rows = Event.objects.filter(stream__name="system").order_by("-seq")[:2]
    assert [row.correlation for row in rows] == [None, "ab.1"]
    assert b"ab.1" not in bytes(rows[1].frame)


@pytest.mark.django_db
def test_job_keeps_the_id_and_the_span() -> None:
    """On both ways of enqueueing."""
    with correlated(Correlation("ab.1", PARENT)):
        clean_up_jobs.enqueue()
        enqueue_once(clean_up_jobs, "test.once")
    assert {row.correlation for row in Job.objects.all()} == {f"ab.1~{PARENT}"}


@pytest.mark.urls(__name__)
def test_log_lines_of_a_request_have_its_id(client: Client) -> None:
    """Whoever writes them while it is answered."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter())
    logger = logging.getLogger("realtime.test")
    logger.addHandler(handler)
    try:
        client.get("/", headers={"X-Request-ID": "seen-1"})
    finally:
        logger.removeHandler(handler)
    assert stream.getvalue().endswith(" seen path=/ correlation=seen-1\n")


def _seen(request: HttpRequest) -> HttpResponse:
    logging.getLogger("realtime.test").warning("seen path=%s", request.path)
    return HttpResponse()


urlpatterns = [path("", _seen)]
