"""`manage.py verify_audit`: is the audit log as it was written?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from realtime.audit.guards import installed
from realtime.audit.verifying import findings
from realtime.models import AuditChain, AuditEntry

SHOWN = 100


class Command(BaseCommand):
    help = (
        "Compute every hash of the audit log again; say which entries were changed, removed, "
        "inserted or moved. Exit status 1 if any was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """A head noted elsewhere shows also a chain that was computed anew as a whole."""
        parser.add_argument(
            "--head", metavar="SEQ:HASH", help="an earlier output's head, to be found in the chain"
        )

    def handle(self, **options: Any) -> None:
        """Raises CommandError with what was found."""
        found: list[str] = []
        for finding in findings():
            found.append(finding)
            if len(found) == SHOWN:
                found.append(f"and maybe more: these are the first {SHOWN}")
                break
        if options["head"] is not None:
            found += _noted(options["head"])
        if not installed(connection):
            found.append("the table's guard against changes is missing")
        if found:
            raise CommandError("\n".join(found))
        chain = AuditChain.objects.filter(pk=1).first()
        if chain is None:
            print("The audit log is empty.")
            return
        count = chain.seq - chain.anchor_seq
        print(f"{count} entries are as they were written.")
        print(f"head {chain.seq}:{chain.hash}")


def _noted(head: str) -> list[str]:
    """Raises CommandError for what is no head."""
    seq, _, noted = head.partition(":")
    if not seq.isdecimal() or not noted:
        raise CommandError(f"--head: expected SEQ:HASH, got {head[:80]!r}")
    chain = AuditChain.objects.filter(pk=1).first()
    if chain is not None and int(seq) < chain.anchor_seq:
        return [f"entry {seq} was trimmed: note a newer head"]
    if chain is not None and int(seq) == chain.anchor_seq:
        stored: str | None = chain.anchor_hash
    else:
        stored = AuditEntry.objects.filter(seq=int(seq)).values_list("hash", flat=True).first()
    if stored == noted:
        return []
    return [f"entry {seq} does not have the hash that was noted"]
