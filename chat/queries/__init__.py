"""Reading: synchronous, no writes, the caller may hold a snapshot."""
