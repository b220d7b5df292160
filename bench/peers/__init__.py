"""The servers that the bench compares."""
