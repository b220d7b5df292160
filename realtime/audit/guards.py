"""The database's own guard: entries are not updated, and deleted only up to the chain's anchor.

Against faults of programs and careless hands; whoever owns the database can remove it. A SQLite
table that a migration rebuilds loses its triggers, so such a migration calls `install` again.

PostgreSQL's TRUNCATE is refused but where the session says that the log is to be emptied, with
`SET realtime.empty_audit = on`: tests flush by it. SQLite has no TRUNCATE; `flush` deletes the rows
there, the chain's own row first, and without that the guard lets go.
"""

from typing import Any

_SQLITE = (
    """
    CREATE TRIGGER IF NOT EXISTS audit_no_update BEFORE UPDATE ON realtime_auditentry
    BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS audit_no_delete BEFORE DELETE ON realtime_auditentry
    WHEN EXISTS (SELECT 1 FROM realtime_auditchain WHERE anchor_seq < OLD.seq)
    BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END
    """,
)
_POSTGRESQL = (
    """
    CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'TRUNCATE' THEN
            IF current_setting('realtime.empty_audit', true) = 'on' THEN
                RETURN NULL;
            END IF;
        ELSIF TG_OP = 'DELETE' AND NOT EXISTS
            (SELECT 1 FROM realtime_auditchain WHERE anchor_seq < OLD.seq) THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'audit entries are append-only';
    END $$
    """,
    """
    CREATE OR REPLACE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON realtime_auditentry
    FOR EACH ROW EXECUTE FUNCTION audit_append_only()
    """,
    """
    CREATE OR REPLACE TRIGGER audit_no_truncate BEFORE TRUNCATE ON realtime_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()
    """,
)
_REMOVE = {
    "sqlite": ("DROP TRIGGER IF EXISTS audit_no_update", "DROP TRIGGER IF EXISTS audit_no_delete"),
    "postgresql": (
        "DROP TRIGGER IF EXISTS audit_append_only ON realtime_auditentry",
        "DROP TRIGGER IF EXISTS audit_no_truncate ON realtime_auditentry",
        "DROP FUNCTION IF EXISTS audit_append_only",
    ),
}


def install(apps: Any, schema_editor: Any) -> None:
    """For migrations: `RunPython(guards.install, guards.remove)`."""
    statements = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}
    _run(schema_editor, statements[schema_editor.connection.vendor])


def remove(apps: Any, schema_editor: Any) -> None:
    _run(schema_editor, _REMOVE[schema_editor.connection.vendor])


def _run(schema_editor: Any, statements: tuple[str, ...]) -> None:
    with schema_editor.connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def installed(database: Any) -> bool:
    """Whether the guard stands."""
    query = {
        "sqlite": "SELECT count(*) = 2 FROM sqlite_master WHERE type = 'trigger' AND name IN "
        "('audit_no_update', 'audit_no_delete')",
        "postgresql": "SELECT count(*) = 2 FROM pg_trigger WHERE tgname IN "
        "('audit_append_only', 'audit_no_truncate') AND tgenabled <> 'D'",
    }[database.vendor]
    with database.cursor() as cursor:
        cursor.execute(query)
        return bool(cursor.fetchall()[0][0])
