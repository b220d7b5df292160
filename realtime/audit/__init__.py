"""The audit log: who did what, on what, from which address, when, and how it ended.

`recording` writes, in the transaction of what is recorded; `verifying` finds what was tampered
with; `receivers` know what is worth an entry. Entries hold no credentials.
"""
