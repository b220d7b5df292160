"""Django's PostgreSQL backend, which notices that the server behind it is another one.

A promoted standby reuses the seqs of the tail that it never got. Its system identifier or its
timeline differs, so each new connection compares them with what the installation row holds and
changes the epoch, by one conditional UPDATE, before anything is written through it.
`DATABASE_FAILOVER=lossless` turns this off, for synchronous standbys that lose nothing.
"""

from typing import Any
from weakref import WeakSet

from django.conf import settings
from django.db.backends.postgresql import base

from realtime.backends.last import write_last
from realtime.backends.postgresql.patience import patience
from realtime.backends.postgresql.prepared import PreparedCursor

# The timeline is read from the WAL's present file name: the control file lags behind a promotion.
_FINGERPRINT = """
    SELECT (SELECT system_identifier FROM pg_control_system())::text
        || '.' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
    WHERE to_regclass('realtime_installation') IS NOT NULL AND NOT pg_is_in_recovery()
"""
_NOTICE = """
    UPDATE realtime_installation
    SET epoch = CASE WHEN fingerprint = '' THEN epoch ELSE substr(md5(random()::text), 1, 6) END,
        fingerprint = %s
    WHERE id = 1 AND fingerprint <> %s
"""

CONFIGURING_LIMIT_S = 3.0
_checked: WeakSet[Any] = WeakSet()  # the server's connections that have been compared already


class DatabaseWrapper(base.DatabaseWrapper):
    def _configure_connection(self, connection: Any) -> bool:
        # The pool's own threads call this, and are few.
        with patience(CONFIGURING_LIMIT_S):
            return self._configured(connection)

    def prepared_cursor(self) -> Any:
        """As `cursor()`, for statements that are to be planned once for each connection."""
        if not settings.PM.database_prepared:
            return self.cursor()
        self.close_if_health_check_failed()
        self.ensure_connection()
        with self.wrap_database_errors:
            return self._prepare_cursor(PreparedCursor(self.connection))  # type: ignore[attr-defined]

    def _commit(self) -> None:
        write_last(self)
        super()._commit()  # type: ignore[misc]

    def _configured(self, connection: Any) -> bool:
        configured: bool = super()._configure_connection(connection)  # type: ignore[misc]
        if settings.PM.database_failover == "lossless" or connection in _checked:
            return configured
        with connection.cursor() as cursor:
            found = cursor.execute(_FINGERPRINT).fetchone()
            if found is not None:
                cursor.execute(_NOTICE, [found[0], found[0]])
        _checked.add(connection)
        return configured
