"""What nodes tell each other through Redis: presence, the fleet of nodes.

All of it expires and can be rebuilt. Nothing durable depends on it: where it is away, callers get
`Unavailable` at once and go on without.
"""
