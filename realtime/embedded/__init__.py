"""Servers that run inside the installation, tied to the life of its processes. No Django here."""
