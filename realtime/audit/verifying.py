"""Finding what was changed, removed, inserted or moved since it was written."""

from collections.abc import Iterator

from realtime.audit.hashing import Content, entry_hash
from realtime.database import snapshot
from realtime.models import AuditChain, AuditEntry

PAGE = 1_000
MOVED_WITHIN = 1_000  # seqs, either way, among which the former place of an entry is looked for


def content_of(entry: AuditEntry) -> Content:
    return Content(
        entry.at,
        entry.action,
        entry.actor,
        entry.actor_name,
        entry.target,
        entry.result,
        entry.address,
        entry.details,
    )


def findings() -> Iterator[str]:
    """A sentence for each entry that is not as it was written; none when all is well.

    All in one snapshot of the database. What this cannot see: that somebody computed the whole
    chain anew, or cut its end together with the chain's row; a head noted elsewhere shows that.
    """
    with snapshot():
        chain = AuditChain.objects.filter(pk=1).first()
        if chain is None:
            if AuditEntry.objects.exists():
                yield "the chain's own row is missing"
            return
        seq = chain.anchor_seq
        before: str | None = chain.anchor_hash  # None: unknown, the entry before is wrong
        for entry in _entries():
            if entry.seq <= chain.anchor_seq:
                yield f"entry {entry.seq} was inserted: entries up to {seq} were trimmed"
                continue
            if entry.seq > chain.seq:
                yield f"entry {entry.seq} was inserted: the chain ends at {chain.seq}"
                continue
            if entry.seq > seq + 1:
                yield _removed(seq + 1, entry.seq - 1)
                before = None
            wrong = _wrong(entry, before)
            if wrong is not None:
                yield wrong
            # What follows a wrong one cannot be told from it: it is taken as the beginning anew.
            seq, before = entry.seq, entry.hash if wrong is None else None
        if seq < chain.seq:
            yield _removed(seq + 1, chain.seq)
        elif before not in {None, chain.hash}:
            yield f"entry {seq} is not the one that the chain ended with"


def _entries() -> Iterator[AuditEntry]:
    after = None
    while True:
        rows = AuditEntry.objects.order_by("seq")
        page = list((rows if after is None else rows.filter(seq__gt=after))[:PAGE])
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].seq


def _removed(first: int, last: int) -> str:
    return f"entry {first} was removed" if first == last else f"entries {first}-{last} were removed"


def _wrong(entry: AuditEntry, before: str | None) -> str | None:
    content = content_of(entry)
    if entry.hash != entry_hash(entry.seq, entry.previous, content):
        former = _former_seq(entry, content)
        if former is not None:
            return f"entry {entry.seq} was moved here from {former}"
        return f"entry {entry.seq} was changed"
    if before not in {None, entry.previous}:
        return f"entry {entry.seq} was inserted: it does not follow the one before it"
    return None


def _former_seq(entry: AuditEntry, content: Content) -> int | None:
    """The seq with which its hash would be right."""
    for seq in range(entry.seq - MOVED_WITHIN, entry.seq + MOVED_WITHIN + 1):
        if entry.hash == entry_hash(seq, entry.previous, content):
            return seq
    return None
