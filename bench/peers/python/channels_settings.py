"""The settings that Channels needs. `PEER_LAYER` names the layer, `PEER_REDIS_URL` its Redis."""

import os

SECRET_KEY = "for the loopback only"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["channels"]
USE_TZ = True
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": os.environ["PEER_LAYER"],
        "CONFIG": {
            "hosts": [
                {
                    "address": os.environ["PEER_REDIS_URL"],
                    # redis-py 8 gives up a read after 5 s and a pool after 100 connections: the
                    # layers wait longer than the one and, when many clients come at once, want
                    # more than the other. As redis-py 5 had it, for which the layers were written.
                    "socket_timeout": None,
                    "max_connections": 2**31,
                }
            ]
        },
    },
}
