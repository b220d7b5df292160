"""WebSockets: the handshake, the connection, its commands, its heartbeats and its end."""
