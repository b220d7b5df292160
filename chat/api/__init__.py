"""The REST API of projects, people, messages and memories.

Views read through `chat.queries` and write through `chat.actions`; rows look as `chat.events`
builds them, in events and here.
"""
