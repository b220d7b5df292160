"""Server-rendered shells. They hold who is signed in and nothing of any project."""

from typing import Any

from django.conf import settings
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import LoginView, LogoutView
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.generic import TemplateView

from chat.pages.forms import SignInForm


class SignIn(LoginView):
    """Goes on to `next` afterwards, so that a link to a project survives signing in."""

    template_name = "chat/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """By POST only: a link or an image elsewhere cannot sign anyone out."""

    http_method_names = ["post", "options"]


# Never cached: after signing out, "back" must not show the former person's page.
@method_decorator([never_cache, ensure_csrf_cookie], name="dispatch")
class Workspace(LoginRequiredMixin, TemplateView):
    """The same shell for every address; whether a project may be seen, the socket says."""

    template_name = "chat/workspace.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(csrf_cookie=settings.CSRF_COOKIE_NAME, **kwargs)
