"""Every HTTP path of the project."""

from django.contrib import admin
from django.urls import include, path

from chat.urls import api_urlpatterns as chat_api
from realtime.urls import api_fallback_urlpatterns
from realtime.urls import api_urlpatterns as realtime_api
from status.urls import api_urlpatterns as status_api

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("status.urls")),
    path("api/", include([*realtime_api, *chat_api, *status_api, *api_fallback_urlpatterns])),
    path("", include("chat.pages.urls")),
]
