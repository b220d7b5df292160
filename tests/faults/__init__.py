"""Faults of the parts around the servers: real processes, a real network between them."""
