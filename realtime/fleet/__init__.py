"""Which nodes run, which sockets each of them holds, and how one of those is closed from elsewhere.

Kept in Redis under leases: all of it expires and is written again by the nodes themselves. Ages and
ends are counted by the clock of Redis alone, so that nodes may disagree about the time of day.
"""
