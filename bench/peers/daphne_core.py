"""Stock Channels on Daphne with the core layer of channels_redis (lists in Redis, capacity 100)."""

from bench.peers.channels_peer import ChannelsPeer


class DaphneCore(ChannelsPeer):
    name = "daphne-core"
    title = "Channels, Daphne, core layer"
    layer = "channels_redis.core.RedisChannelLayer"


PEER = DaphneCore()
