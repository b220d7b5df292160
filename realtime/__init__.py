"""The reusable real-time core."""

__version__ = "0.1.0"
