"""The read path of one process: streams that somebody here follows, kept level with the log.

relay -> hub -> stream -> subscriptions -> sinks. Everything here runs in one event loop and owns
its state without locks: between two awaits nothing changes. The log is the truth; what arrives
over the channel layer is a hint that saves a read.
"""
