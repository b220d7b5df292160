"""Addresses that people see, to be included at the root."""

from django.templatetags.static import static
from django.urls import path
from django.views.generic import RedirectView

from chat.pages import views

app_name = "pages"
urlpatterns = [
    path("", views.Workspace.as_view(), name="workspace"),
    path("projects/<int:project_id>/", views.Workspace.as_view(), name="project"),
    # Browsers ask for it on every page that names no icon, such as the admin's.
    path("favicon.ico", RedirectView.as_view(url=static("chat/icon.svg")), name="icon"),
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("sign-out/", views.SignOut.as_view(), name="sign-out"),
]
