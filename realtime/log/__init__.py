"""The log: streams of events, written in the transaction of the change that they describe.

Writers use `publish`, `publish_many`, `publishing_together`, `lock_streams`, `create_stream` and
the base `LoggedModel`; readers use `realtime.log.reading`. Synchronous throughout.
"""
