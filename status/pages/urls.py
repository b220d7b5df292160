"""Addresses that people see, to be included at `status/`."""

from django.urls import path

from status.pages import views

app_name = "status-pages"
urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("past/", views.past_answer, name="past"),
    path("streams/", views.streams_answer, name="streams"),
    path("public/", views.public, name="public"),
]
