"""The channel layer of Channels over Redis, and its connections."""
