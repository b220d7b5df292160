"""Pages while the database is away: nobody can be recognised, so everybody gets the same one.

It says since when, and what this process sees of the system by itself, in the words of the public
page; it renews itself, and is the page that was asked for as soon as that can be answered.
"""

import logging

from django.db import Error, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from realtime.middleware import Middleware
from status.pages.public import alone_view
from status.running import process_monitor

RENEW_S = 5
_ANSWERED = "SQLITE_ERROR"  # a statement that is wrong: a fault of ours, and not an outage

logger = logging.getLogger(__name__)


def is_away(error: BaseException) -> bool:
    """Whether the database could not be asked, or did not answer."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    return getattr(error.__cause__, "sqlite_errorname", None) != _ANSWERED


def away_page(request: HttpRequest, error: Error) -> HttpResponse:
    """503. What was sent with the request is not taken, so only who asked for a page is sent
    there again."""
    monitor = process_monitor()
    outage = monitor.alone.outage if monitor is not None else None
    logger.warning("a page without the database path=%s why=%s", request.path, type(error).__name__)
    shown = {
        "renew_s": RENEW_S if request.method == "GET" else None,
        "since": outage.since if outage is not None else None,
        "view": alone_view(outage),
    }
    answer = HttpResponse(render_to_string("status/away.html", shown), status=503)
    answer["Retry-After"] = str(RENEW_S)
    answer["Cache-Control"] = "no-store"
    return answer


class DatabaseAwayMiddleware(Middleware):
    """The page for whatever view could not reach the database, instead of a traceback; scripts and
    programs have their answers from the views and the API themselves."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Called by Django, in a thread."""
        if not isinstance(error, Error) or not is_away(error):
            return None
        return away_page(request, error) if _wants_page(request) else None


def _wants_page(request: HttpRequest) -> bool:
    """A browser that goes somewhere says so; `fetch` accepts anything."""
    return "text/html" in request.headers.get("Accept", "")
