"""What has to be known before a message is written, read by one statement.

Plain SQL, because every message asks: Django compiles each of the five SELECTs that this replaces
in five times what SQLite needs to answer it.
"""

from typing import NamedTuple

from realtime.backends.cursors import run, this_database

# MIN(id) is the project's first conversation where none is named. The cast tells PostgreSQL what a
# NULL would be.
_STANDING = """
    SELECT
        (SELECT role FROM chat_membership WHERE project_id = %s AND user_id = %s),
        (SELECT MIN(id) FROM chat_chatsession
            WHERE project_id = %s AND id = COALESCE(CAST(%s AS bigint), id)),
        (SELECT id FROM chat_message WHERE author_id = %s AND client_ref = %s),
        EXISTS (SELECT 1 FROM chat_message WHERE project_id = %s AND id = %s),
        EXISTS (SELECT 1 FROM realtime_job
            WHERE unique_key = %s AND state IN ('scheduled', 'queued'))
"""


class Standing(NamedTuple):
    """How a message that is about to be written stands to what is stored.

    role: the author's in the project; None for a stranger
    session: the id of the conversation that it goes to; None where the project has none such
    borne_by: the id of the author's message that bears the `client_ref` already, in any project
    analysis_waits: whether a job to analyse the project's conversation waits for a worker. One that
        is claimed from now on cannot look before the caller's commit: it needs the stream
    reply_fits: whether `reply_to` is a message of the project; False where none is named
    """

    role: str | None
    session: int | None
    borne_by: int | None
    reply_fits: bool
    analysis_waits: bool


def analysis_key(project_id: int) -> str:
    """The key of the job that analyses the project's conversation: one waits at a time."""
    return f"chat.context.{project_id}"


def standing_of(
    author_id: int,
    project_id: int,
    *,
    client_ref: str | None,
    reply_to: int | None,
    session: int | None,
) -> Standing:
    """The caller holds the project's stream, and has claimed the reference where there is one."""
    given = (
        project_id,
        author_id,
        project_id,
        session,
        author_id,
        client_ref,
        project_id,
        reply_to,
        analysis_key(project_id),
    )
    found = run(this_database(), _STANDING, given)
    ((role, session_id, borne_by, reply_fits, waits),) = found.rows
    return Standing(role, session_id, borne_by, bool(reply_fits), bool(waits))
