"""Who is kept out: people by their account, and addresses. Imposed, ended, and enforced here.

`refusing` says who is refused and is all that authentication needs; `networks` is this process's
table of addresses; `imposing` writes; `jobs` ends what is over.
"""
