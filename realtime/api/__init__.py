"""The core's part of the REST API: who asks, what went wrong, how lists are cut, the log as JSON.

Apps build their own endpoints from `views.ApiView`, `inputs`, `pages` and `schema`.
"""
