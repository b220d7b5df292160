"""The ASGI application: HTTP by Django, WebSockets by the real-time core, and the lifespan."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pm_project.settings")

from django.core.asgi import get_asgi_application

http = get_asgi_application()  # sets Django up; what follows needs its models

from channels.routing import ProtocolTypeRouter, URLRouter

import pm_project.urls  # noqa: F401 - views are imported at start, not at the first request
from realtime.bans.door import guarded
from realtime.database import bounded
from realtime.lifespan import Lifespan
from realtime.sockets.routing import websocket_urlpatterns

application: Any = ProtocolTypeRouter(
    {
        "http": bounded(guarded(http)),
        "websocket": URLRouter(websocket_urlpatterns()),
        "lifespan": Lifespan(),
    }
)
