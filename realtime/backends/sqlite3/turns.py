"""Whose turn it is to write: one lock for all writers of this process."""

import threading

turn = threading.Lock()
