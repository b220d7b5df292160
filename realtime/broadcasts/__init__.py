"""Broadcasts: composed, queued, published, counted.

    create_broadcast(user, "project.42", BroadcastDraft(title="Hello", body="*all* of you"))

Owns their rows and jobs; `docs/broadcasts.md` says what is promised. Synchronous but for `jobs` and
the sweep of `moved`.
"""
