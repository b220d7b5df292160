"""The dashboard's shell, what its script asks beside the API, and the public page."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from realtime.backends.postgresql.patience import patience
from realtime.protocol.streams import StreamKind, StreamName
from status.access import may_read_status
from status.pages.past import MAX_MEASURES, past
from status.pages.public import LIMIT_S, public_view
from status.pages.streams import busiest

ACKNOWLEDGE = "status.change_alert"
PUBLIC_S = 5  # how long anybody on the way may keep the public page

Page = Callable[[HttpRequest], HttpResponseBase]


def _may_look(request: HttpRequest) -> bool:
    """Read afresh, as for a subscription."""
    user = request.user
    return user.is_authenticated and may_read_status(user, StreamName(StreamKind.STATUS, None))


def _for_operators(answer: Page) -> Page:
    """JSON for those alone who may follow `status`; 403 for others, who are not sent to sign in:
    it is a script that asks. 503 while the database is away, which the script is used to."""

    @wraps(answer)
    def guarded(request: HttpRequest) -> HttpResponseBase:
        try:
            if not _may_look(request):
                return JsonResponse({"detail": "expected the right to see the status"}, status=403)
            return answer(request)
        except DatabaseError:
            return JsonResponse({"detail": "the database is away"}, status=503)

    return guarded


# Never cached: after signing out, "back" must not show it.
@require_safe
@never_cache
@ensure_csrf_cookie
def dashboard(request: HttpRequest) -> HttpResponseBase:
    """The shell; everything in it comes over the socket and by the API. A database that hangs is
    told sooner here than elsewhere: this is where people look then."""
    user: Any = request.user
    with patience(LIMIT_S):
        if not user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not _may_look(request):
            return render(request, "status/refused.html", status=403)
        acknowledges = user.is_staff or user.has_perm(ACKNOWLEDGE)
    shown = {"csrf_cookie": settings.CSRF_COOKIE_NAME, "acknowledges": acknowledges}
    return render(request, "status/dashboard.html", shown)


@require_safe
@never_cache
@_for_operators
def past_answer(request: HttpRequest) -> HttpResponseBase:
    """The last 90 minutes, of `measure`, which may come 40 times."""
    wanted = request.GET.getlist("measure")
    if len(wanted) > MAX_MEASURES:
        text = f"measure: expected {MAX_MEASURES} at most, got {len(wanted)}"
        return JsonResponse({"detail": text}, status=400)
    return JsonResponse(past(wanted, timezone.now()))


@require_safe
@never_cache
@_for_operators
def streams_answer(request: HttpRequest) -> HttpResponseBase:
    """The busiest streams."""
    return JsonResponse({"streams": busiest()})


@require_safe
def public(request: HttpRequest) -> HttpResponse:
    """For everybody. Rendered without the request: it is the same for all, and no session is read,
    so that it can be kept on the way and answers while the database is away."""
    answer = HttpResponse(render_to_string("status/public.html", {"view": public_view()}))
    answer["Cache-Control"] = f"public, max-age={PUBLIC_S}"
    return answer
