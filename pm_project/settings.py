"""Django settings, all of them derived from the typed environment (`environment.py`)."""

import hashlib
import os
import secrets
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dj_database_url

from pm_project.environment import ROOT, load_environment
from pm_project.mail import mail_settings

PM = load_environment()
BASE_DIR = ROOT


def _stored_secret() -> str:
    """The data folder's own secret: sessions survive a restart without any set-up."""
    path = PM.data_dir / "secret_key"
    try:
        with path.open("x") as file:
            path.chmod(0o600)
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text()


def _database() -> dict[str, Any]:
    url = PM.database_url or f"sqlite:///{PM.data_dir / 'db.sqlite3'}"
    # CONN_MAX_AGE stays 0: on PostgreSQL closing returns the connection to psycopg's pool.
    config: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=0))
    if config["ENGINE"].endswith("sqlite3"):
        config["ENGINE"] = "realtime.backends.sqlite3"
        config["OPTIONS"] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            # Each of a server's threads has a connection of its own, and keeps both for it.
            "cached_statements": 64,
            # FULL: clients keep committed seqs, so a power cut must not take one back.
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                "PRAGMA cache_size=-512;"
                # `realtime/checkpointer.py` does it before; this is for processes without it.
                "PRAGMA wal_autocheckpoint=8000;"
            ),
        }
        # A file, not :memory:, because the tests use several threads and processes.
        config["TEST"] = {
            "NAME": str(Path(tempfile.gettempdir()) / f"pm-test-{os.getpid()}.sqlite3")
        }
    else:
        from realtime.backends.postgresql.connection import PatientConnection

        config["ENGINE"] = "realtime.backends.postgresql"
        # One round trip per use of the pool: after a restart of the database nobody else should
        # find out the hard way which of its connections are dead.
        config["CONN_HEALTH_CHECKS"] = True
        config["OPTIONS"] = {
            # A network that swallows packets is noticed in seconds, not after the system's hours.
            "connect_timeout": 3,
            "tcp_user_timeout": 5000,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            **config.get("OPTIONS", {}),
            # The pool's own pauses between attempts double; ending them after 4 s, and beginning
            # anew with the next caller, keeps the return of a database from going unnoticed.
            "pool": {
                "min_size": 1,
                "max_size": 20,
                "timeout": 2,
                "reconnect_timeout": 4,
                "connection_class": PatientConnection,
            },
            # A node that vanished in the middle of a transaction must not hold a stream's lock.
            "options": (
                "-c lock_timeout=2000 -c idle_in_transaction_session_timeout=30000 "
                "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
            ),
        }
    return config


def _redis_hosts() -> list[dict[str, Any]]:
    from realtime.embedded.valkey import socket_path

    urls = (
        PM.redis_url.split(",")
        if PM.redis_url
        else [f"unix://{quote(str(socket_path(PM.data_dir)))}"]
    )
    # redis-py 8 would otherwise cap the pool at 100 and time sockets out under channels_redis.
    return [
        {
            "address": url.strip(),
            "socket_connect_timeout": 1,
            "socket_timeout": 5,
            "health_check_interval": 10,
            "max_connections": 1000,
            # The layer needs nothing of version 3, whose handshake takes a round trip more.
            "protocol": 2,
        }
        for url in urls
    ]


def _runserver_apps() -> list[str]:
    """Daphne's app only replaces `runserver`, and imports Twisted and all that belongs to it: 20 MB
    that no other process of the project needs."""
    return ["daphne"] if "runserver" in sys.argv else []


# WhiteNoise streams files synchronously; they are small, and read in a thread of the request.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous")

SECRET_KEY = PM.secret_key or _stored_secret()
DEBUG = PM.debug
ALLOWED_HOSTS = list(PM.allowed_hosts)
INSTALLED_APPS = [
    *_runserver_apps(),
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_tasks",
    "realtime",
    "chat",
    "status",
]
MIDDLEWARE = [
    "realtime.tracing.middleware.CorrelationMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "realtime.audit.acting.ActingMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "pm_project.security.ContentSecurityPolicyMiddleware",
    "status.pages.away.DatabaseAwayMiddleware",
]
ROOT_URLCONF = "pm_project.urls"
ASGI_APPLICATION = "pm_project.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    if PM.redis_url == "memory://"
    else {
        "BACKEND": "realtime.layer.channel_layer.QuietChannelLayer",
        "CONFIG": {
            "hosts": _redis_hosts(),
            # Two installations on one Redis must not hear each other.
            "prefix": "pm" + hashlib.sha256(SECRET_KEY.encode()).hexdigest()[:8],
        },
    }
}

# Jobs are rows of the database, written with their cause. No QUEUES: any name is one.
TASKS = {"default": {"BACKEND": "realtime.jobs.backend.DatabaseBackend", "QUEUES": []}}

AUTH_USER_MODEL = "chat.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/sign-in/"
SESSION_ENGINE = "realtime.security.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
X_FRAME_OPTIONS = "DENY"

DEFAULT_FROM_EMAIL = PM.email_from
globals().update(mail_settings(PM.email_url))

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # files are served from where they are: there is no build step

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "realtime.api.authentication.ApiKeyAuthentication",
        "realtime.api.authentication.SessionTokenAuthentication",
        "realtime.api.authentication.CookieAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "realtime.api.problems.problem_response",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "AI project manager, real-time module",
    "VERSION": "1",
    # 3.1: pydantic writes `type: null`, which 3.0 has no word for.
    "OAS_VERSION": "3.1.0",
    "POSTPROCESSING_HOOKS": [],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "realtime.tracing.logs.LineFormatter"},
        "json": {"()": "realtime.tracing.logs.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": PM.log_format}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django.request": {"level": "ERROR"},
        # A traceback for each attempt while Redis is away: the relay says it once, in one line.
        "channels_redis": {"level": "CRITICAL"},
        "django.channels.server": {"level": "WARNING"},
        # A traceback a second while Redis is away; the node's own watch says it in one line.
        "channels_redis.pubsub": {"level": "CRITICAL"},
        "psycopg.pool": {"level": "ERROR"},  # likewise, for the database
        # A line for each request; what matters of it is in the line of the run.
        "httpx": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "openai": {"level": "WARNING"},
    },
}
