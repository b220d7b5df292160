"""The peers in Python: what their users would write, and where their packages come from."""

import importlib.util

INSTALL = ".venv/bin/python -m pip install -r requirements-bench.txt"


def missing(*modules: str) -> str | None:
    """None when all the modules can be imported, or the command that installs them."""
    lacking = [name for name in modules if importlib.util.find_spec(name) is None]
    return INSTALL if lacking else None
