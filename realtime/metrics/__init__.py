"""Numbers that every process keeps of itself, and how they become those of the whole system.

`kinds` has what is added to, `core` the core's own, `gauges` what is read when it is told, and
`ledger` brings the processes' numbers together in Redis.
"""
