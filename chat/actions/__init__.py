"""Writing: the API, the sockets, the AI and the commands call the same functions.

Each opens its own transaction, locks its streams first, and raises the errors of
`realtime.protocol.errors`. Events come from the signals of the rows that are written.
"""
