"""Packages that our dependencies take where they are installed, and that nothing here uses.

They are there for others: cryptography for Daphne, psycopg for installations on PostgreSQL,
requests and Pygments for tools of developers. Loaded, they are 22 MB in every process. They are
hidden from few modules, and from what these import first, while these are imported; later imports
find them. What these decided meanwhile stays: REST framework has no `RequestsClient`, no fields
of PostgreSQL's own and no coloured code in its browsable pages, none of which is used here.

Django's test client, which brings `unittest`, is needed for the OpenAPI document, and loaded then.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from django.conf import settings


@contextmanager
def absent(*modules: str) -> Iterator[None]:
    """Have imports of these modules raise ImportError inside, but for those loaded already.

    For use while the process starts, in its one thread.
    """
    hidden = [module for module in modules if module not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None says so to `import`
    try:
        yield
    finally:
        for module in hidden:
            del sys.modules[module]


def _request_factory(*arguments: Any, **options: Any) -> Any:
    """REST framework's `APIRequestFactory`, imported now."""
    from rest_framework.test import APIRequestFactory

    return APIRequestFactory(*arguments, **options)


@contextmanager
def late_request_factory() -> Iterator[None]:
    """Whoever imports REST framework's request factory inside gets one that imports it when it is
    called: the module brings Django's test client, and `unittest` with its mocks."""
    name = "rest_framework.test"
    if name in sys.modules:
        yield
        return
    stand_in = sys.modules[name] = ModuleType(name)
    stand_in.APIRequestFactory = _request_factory  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del sys.modules[name]


def import_sparingly() -> None:
    """Import the modules that would take them. To be called before anybody else imports these."""
    with absent("psycopg", "psycopg2", "pygments", "requests"), late_request_factory():
        import drf_spectacular.plumbing  # noqa: F401
        import rest_framework.compat  # noqa: F401
    with absent("opentelemetry"):  # redis-py would measure for it
        import redis.asyncio  # noqa: F401
    layers = settings.CHANNEL_LAYERS.values()
    if not any("symmetric_encryption_keys" in layer.get("CONFIG", ()) for layer in layers):
        with absent("cryptography.fernet"):
            import channels_redis.serializers  # noqa: F401
