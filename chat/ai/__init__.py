"""The AI of a project: what it is asked with, who answers, and how the answer reaches everyone.

Used by workers only: nothing here is imported by a server.
"""
