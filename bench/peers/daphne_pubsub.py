"""Stock Channels on Daphne with the pub/sub layer of channels_redis."""

from bench.peers.channels_peer import ChannelsPeer


class DaphnePubsub(ChannelsPeer):
    name = "daphne-pubsub"
    title = "Channels, Daphne, pub/sub layer"
    layer = "channels_redis.pubsub.RedisPubSubChannelLayer"


PEER = DaphnePubsub()
