"""The way of a message: one id from its cause through log, layer, nodes and jobs; steps; spans.

Nothing here is waited for, and nothing depends on it.
"""
