"""The wire protocol, version 1: names, shapes, codes and positions.

Pure: no Django, no input or output. Everything else of the project may import it; it imports
nothing of the project. What clients may rely on is described in the project's protocol document.
"""
