"""Opens sessions: zoneless, strict, and read-only by themselves where they are for reading."""

from __future__ import annotations

import sqlite3
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from retentiond_sql.options import SqlConnection


def open_engine(options: SqlConnection, *, writes: bool, acting_role: bool = False) -> sa.Engine:
    """Prepare sessions of one kind; nothing is connected yet.

    A session without `writes` cannot change anything, whatever statement it is given. It uses the reader's
    credential where there is one, unless `acting_role` asks for the other, to look at its rights.
    """
    url, secret = options.address(), options.password
    if options.reader is not None and not writes and not acting_role:
        url, secret = url.set(username=options.reader.user), options.reader.password
    if secret is not None:
        url = url.set(password=secret.reveal())
    match url.get_backend_name():
        case "sqlite":
            return _sqlite(url, options, writes=writes)
        case "postgresql":
            return _postgresql(url, options, writes=writes)
        case _:
            return _mysql(url, options, writes=writes)


def _engine(url: sa.URL, **more: Any) -> sa.Engine:
    # hide_parameters: should an error of SQLAlchemy ever surface, it holds no values.
    return sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True, **more)


def _sqlite(url: sa.URL, options: SqlConnection, *, writes: bool) -> sa.Engine:
    path, wait = url.database or "", options.lock_timeout_seconds

    def connect() -> sqlite3.Connection:
        # Never `rwc`: a mistyped path must be an error, not a new and empty database.
        address = f"file:{quote(path)}?mode={'rw' if writes else 'ro'}"
        connection = sqlite3.connect(address, uri=True, timeout=wait, isolation_level=None, check_same_thread=False)
        pragmas = ["foreign_keys=ON", "synchronous=FULL", "secure_delete=ON"] if writes else ["query_only=ON"]
        try:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}").close()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    engine = _engine(sa.make_url("sqlite://"), creator=connect)

    # The module is left without transactions of its own (isolation_level=None), because those start too late;
    # IMMEDIATE takes the write lock before the first look, so that nothing changes between look and act.
    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: sa.URL, options: SqlConnection, *, writes: bool) -> sa.Engine:
    settings = {
        # psycopg's own read-only flag does nothing in autocommit mode; this holds in every mode.
        "default_transaction_read_only": "off" if writes else "on",
        "row_security": "off",  # rows that a policy would hide become an error instead of an absence
        "timezone": "UTC",
        # Dates and fingerprints are read as text: its form must not depend on anybody's settings.
        "datestyle": "ISO,YMD",
        "intervalstyle": "iso_8601",
        "extra_float_digits": "1",
        "bytea_output": "hex",
        "statement_timeout": f"{options.statement_timeout_seconds}s",
        "lock_timeout": f"{options.lock_timeout_seconds}s",
        "idle_in_transaction_session_timeout": f"{options.statement_timeout_seconds}s",
        "application_name": "retentiond",
    }
    theirs = url.query.get("options", ())
    ours = " ".join(f"-c {name}={value}" for name, value in settings.items())
    arguments = {
        "options": " ".join([*([theirs] if isinstance(theirs, str) else theirs), ours]),
        "connect_timeout": options.connect_timeout_seconds,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }
    url = url.difference_update_query(["options"])
    level = "READ COMMITTED" if writes else "REPEATABLE READ"
    return _engine(url, connect_args=arguments, isolation_level=level)


def _mysql(url: sa.URL, options: SqlConnection, *, writes: bool) -> sa.Engine:
    statements = [
        "SET SESSION time_zone = '+00:00'",
        # Strict, so that a value is refused rather than cut; zero dates must stay readable.
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
        "SET SESSION foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, sql_auto_is_null = 0",
        "SET SESSION sql_select_limit = DEFAULT",
        f"SET SESSION lock_wait_timeout = {options.lock_timeout_seconds}",
        f"SET SESSION innodb_lock_wait_timeout = {options.lock_timeout_seconds}",
        f"SET SESSION TRANSACTION {'READ WRITE' if writes else 'READ ONLY'}",
    ]
    arguments = {
        "charset": "utf8mb4",
        "connect_timeout": options.connect_timeout_seconds,
        # The server's own limit comes first where it knows one; this is for a server that is gone without a word.
        "read_timeout": options.statement_timeout_seconds + 5,
        "write_timeout": options.statement_timeout_seconds + 5,
        "local_infile": False,
    }
    if "unix_socket" in url.query and not any(name.startswith("ssl") for name in url.query):
        arguments["ssl_disabled"] = (
            True  # nobody listens there, and loading who may vouch for a server takes longer than the rest
        )
    level = "READ COMMITTED" if writes else "REPEATABLE READ"
    engine = _engine(url.difference_update_query(["charset"]), connect_args=arguments, isolation_level=level)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            # MariaDB and MySQL each have their own word for it, and their own unit.
            if "mariadb" in connection.get_server_info().lower():
                cursor.execute(f"SET SESSION max_statement_time = {options.statement_timeout_seconds}")
            else:
                cursor.execute(f"SET SESSION max_execution_time = {options.statement_timeout_seconds * 1000}")

    return engine
