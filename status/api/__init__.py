"""The system's state over REST, for those who may see it."""
