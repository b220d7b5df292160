"""Benches of the running product; each is a program of its own."""
