"""The ASGI application, to be served by Daphne."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.peers.python.channels_settings"
http = get_asgi_application()  # sets Django up, before the consumers are imported

from bench.peers.python.channels_rooms import Room  # noqa: E402

application = ProtocolTypeRouter(
    {"http": http, "websocket": URLRouter([path("rooms/<int:room>", Room.as_asgi())])}
)
