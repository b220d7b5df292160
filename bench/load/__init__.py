"""The load generator: C programs, how they are compiled, and what drives them."""
