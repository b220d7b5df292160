"""Who is here: per person, over all their tabs and all nodes, kept in the shared store.

A connection holds a lease that its node renews; whoever removes a person's last lease says so.
All of it expires and can be rebuilt: when the store is emptied, a new nonce tells the clients to
ask again, and the nodes' next renewal puts everybody back.
"""
