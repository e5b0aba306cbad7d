"""The four database roles, on the embedded server and on one of the outside (PostgreSQL 15 to 18).

owner  owns the tables and migrates; row-level security is forced on it as well.
app    web and workers; owns nothing, sees one workspace at a time.
read   runs compiled segment queries; SELECT only.
ingest copies events into the open workspace; it reads nothing.

No role inherits: what a role was granted counts only after SET ROLE. So the policies made for `read` do not widen what
`app` sees. Where the server is not ours, people log in with a login of their own and settings assume the role.
"""

import contextlib
import os
from typing import Any
from urllib.parse import unquote, urlsplit

OWNER, APP, READ, INGEST = "uop_owner", "uop_app", "uop_read", "uop_ingest"


def create_roles(cursor: Any) -> None:
    """Create the roles that are missing and grant each to the one above it. May run any number of times."""
    cursor.execute("SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user")
    createdb = "CREATEDB" if cursor.fetchone()[0] else ""  # only test databases need it
    for role, rights in ((READ, ""), (INGEST, ""), (APP, ""), (OWNER, createdb)):
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        if not cursor.fetchone():
            cursor.execute(f"CREATE ROLE {role} LOGIN NOINHERIT {rights}")
    for role, member in ((READ, APP), (READ, OWNER), (INGEST, APP), (INGEST, OWNER), (APP, OWNER)):
        _grant(cursor, role, member)


def prepare_outside_server(url: str, app_login: str, app_password: str = "") -> None:
    """Set up roles and rights in the database of `url` for its own login and for `app_login`, made if it is missing.

    Needs a superuser, or the database's owner with CREATEROLE, the first time; later any login that has the roles.
    """
    import psycopg2  # here, since `make clean` and `run` on embedded servers need no driver

    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT session_user")
            login = cursor.fetchone()[0]
            create_roles(cursor)
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [app_login])
            if not cursor.fetchone():
                cursor.execute(f"CREATE ROLE {_quoted(app_login)} LOGIN NOINHERIT PASSWORD %s", [app_password or None])
            for role in (OWNER, APP, READ, INGEST):
                _grant(cursor, role, login)
            for role in (APP, READ, INGEST):
                _grant(cursor, role, app_login)
            if app_login not in (login, OWNER, APP):
                _begin_as(cursor, APP, app_login)
            _let_owner_build(cursor)
    finally:
        connection.close()


def main() -> None:
    """Prepare the server of DATABASE_OWNER_URL (or DATABASE_URL) for the logins of both. Raises RuntimeError."""
    import psycopg2

    url = os.environ.get("DATABASE_URL") or os.environ.get("DATABASE_OWNER_URL")
    if not url:
        raise RuntimeError("set DATABASE_URL, and DATABASE_OWNER_URL if another login may create roles")
    login = urlsplit(url)
    owner_url = os.environ.get("DATABASE_OWNER_URL") or url
    try:
        prepare_outside_server(owner_url, unquote(login.username or ""), unquote(login.password or ""))
    except psycopg2.Error as error:
        raise RuntimeError(f"cannot prepare the database roles: {error}") from error


def _grant(cursor: Any, role: str, member: str) -> None:
    """Grant `role` to `member` unless it may already SET ROLE to it."""
    cursor.execute("SELECT current_setting('server_version_num')::int")
    knows_options = cursor.fetchone()[0] >= 160000
    cursor.execute(
        "SELECT 1 FROM pg_auth_members WHERE roleid = %s::regrole AND member = %s::regrole"
        + (" AND set_option" if knows_options else ""),
        [role, _quoted(member)],
    )
    if role == member or cursor.fetchone():
        return
    options = " WITH INHERIT FALSE, SET TRUE" if knows_options else ""
    cursor.execute(f"GRANT {role} TO {_quoted(member)}{options}")


def _begin_as(cursor: Any, role: str, login: str) -> None:
    """Let sessions of `login` begin as `role`. Whoever connects assumes it anyway, but behind a pooler that hands out
    sessions by the transaction, that is done in another session than the one which gets the next transaction."""
    import psycopg2

    cursor.execute("SELECT rolconfig FROM pg_roles WHERE rolname = %s", [login])
    if f"role={role}" in (cursor.fetchone()[0] or []):
        return
    # A login that was there before may not be ours to alter; then it takes a pooler that hands out whole sessions.
    with contextlib.suppress(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(f"ALTER ROLE {_quoted(login)} SET role = {role}")


def _let_owner_build(cursor: Any) -> None:
    """Let the owner role make schemas, tables and the trusted extension pg_trgm in this database."""
    cursor.execute("SELECT current_database()")
    database = cursor.fetchone()[0]
    cursor.execute("SELECT has_database_privilege(%s, current_database(), 'CREATE')", [OWNER])
    if not cursor.fetchone()[0]:
        cursor.execute(f"GRANT CREATE, CONNECT, TEMPORARY ON DATABASE {_quoted(database)} TO {OWNER}")
    cursor.execute("SELECT has_schema_privilege(%s, 'public', 'CREATE')", [OWNER])
    if not cursor.fetchone()[0]:
        cursor.execute(f"GRANT USAGE, CREATE ON SCHEMA public TO {OWNER}")
    cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")
    if not cursor.fetchone():
        cursor.execute("CREATE EXTENSION pg_trgm")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
