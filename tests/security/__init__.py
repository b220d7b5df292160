"""Credentials, and when they end."""
