"""The session engine (`SESSION_ENGINE`): sessions in the database, asked for by possible keys only.

A key comes from a cookie or a header, so it may be anything: a quoted cookie can hold a NUL, which
PostgreSQL refuses in a text with an error where everybody else's unknown key is simply unknown.
"""

import re

from django.contrib.sessions.backends import db

# Django makes 32 of these characters; its own least length is 8, the column's width is 40.
_KEY = re.compile(r"[a-z0-9]{8,40}")


def valid_key(key: str) -> bool:
    """Whether a session could have this key."""
    return _KEY.fullmatch(key) is not None


# Of this name: it is part of the salt that sessions are signed with, and Django's own class, which
# `Session.get_decoded` uses, must be able to read them.
class SessionStore(db.SessionStore):
    """A key that cannot be one is no key: the session is empty and nothing is looked up."""

    def _validate_session_key(self, key: str | None) -> bool:
        return key is not None and valid_key(key)
