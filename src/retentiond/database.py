"""Opens databases so that what was committed stays, and says in plain words why one cannot be used.

SQLite files and PostgreSQL behave alike above this module: explicit transactions, durable commits, no zone but UTC.
"""

from __future__ import annotations

import importlib.util
import os
import sqlite3
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from retentiond.errors import ConfigurationError, StateError

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

PATIENCE = 10
"""Seconds that a connection waits for another one's lock, or for a server to answer."""

_WRITER: dict[str, str | int] = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: anything less loses commits in a power cut
    "secure_delete": 1,
    "temp_store": 2,
    "foreign_keys": 1,
}
_READER: dict[str, str | int] = {"query_only": 1, "temp_store": 2, "foreign_keys": 1}
_DURABLE = {"on", "remote_apply"}
_FAR = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs", "fuse.glusterfs"}
)
FSYNC = "fsync"
"""The setting by which a PostgreSQL server keeps what it committed through a power cut."""

_MIGRATING = 0x7265746E  # the advisory lock under which one process at a time builds tables


class Fault(StrEnum):
    """Why a database could not do what was asked."""

    FULL = "full"
    DISK = "disk"
    READ_ONLY = "read-only"
    UNREACHABLE = "unreachable"
    LOCKED = "locked"
    DAMAGED = "damaged"
    REFUSED = "refused"


class DatabaseError(StateError):
    """A database did not do what was asked; `fault` says why. Nothing of the transaction stays."""

    def __init__(self, message: str, fault: Fault) -> None:
        self.fault = fault
        super().__init__(message)


def open_database(place: Path | sa.URL, *, readonly: bool = False) -> sa.Engine:
    """Open the SQLite file `place` (made with mode 0600 where missing), or the PostgreSQL database of a URL.

    Every transaction is begun explicitly: at once for writing in a SQLite file, of which there is one read-write
    connection per engine. With `readonly` a file must exist, and nothing can be written; a transaction sees one state.
    Raises `StateError` where the database cannot be used or would not keep what is committed, `ConfigurationError`
    for other databases.
    """
    if isinstance(place, Path):
        engine = _sqlite(place, readonly=readonly)
    elif place.get_backend_name() == "sqlite" and place.database:
        engine = _sqlite(Path(place.database), readonly=readonly)
    elif place.get_backend_name() == "postgresql":
        engine = _postgresql(place, readonly=readonly)
    else:
        raise ConfigurationError(f"State cannot be kept in {place.get_backend_name()}; use PostgreSQL, or no URL for SQLite.")
    try:
        with translated():
            engine.connect().close()
    except BaseException:
        engine.dispose()
        raise
    return engine


def place_of(engine: sa.Engine) -> str:
    """Where the database is, for a person; without user and password."""
    name = str(engine.url.database)
    return name if is_sqlite(engine) else f"the PostgreSQL database {name}"


def is_sqlite(engine: sa.Engine) -> bool:
    """True for a file of our own, False for a server that others write to as well."""
    return engine.dialect.name == "sqlite"


def _sqlite(path: Path, *, readonly: bool) -> sa.Engine:
    if readonly:
        if not path.is_file():
            raise DatabaseError(f"There is no database {path}.", Fault.UNREACHABLE)
    else:
        _refuse_far(path)
        _make_private(path)
    uri = f"file:{urllib.parse.quote(str(path.absolute()))}?mode={'ro' if readonly else 'rw'}"

    def connect() -> sqlite3.Connection:
        # isolation_level None: the driver begins no transaction by itself; `_begin` does, and all statements are in it.
        connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            _set_pragmas(connection, path, _READER if readonly else _WRITER)
        except BaseException:
            connection.close()
            raise
        return connection

    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        creator=connect,
        poolclass=sa.QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=PATIENCE,
        hide_parameters=True,
    )
    begin = "BEGIN" if readonly else "BEGIN IMMEDIATE"

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _set_pragmas(connection: sqlite3.Connection, path: Path, pragmas: dict[str, str | int]) -> None:
    for name, wanted in pragmas.items():
        connection.execute(f"PRAGMA {name}={wanted}")
        (found,) = connection.execute(f"PRAGMA {name}").fetchone()
        if found != wanted:
            raise DatabaseError(
                f"SQLite does not take the setting {name}={wanted} for {path}; without it nothing is safe there. "
                f"Use a local disk and a SQLite library in its usual make.",
                Fault.REFUSED,
            )


def _make_private(path: Path) -> None:
    """Make the file with mode 0600 where it is missing, and take rights away from others where it is there."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if os.fstat(descriptor).st_mode & 0o077:
                os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DatabaseError(
            f"The database {path} cannot be opened for writing ({error.strerror}). Check that its directory exists, "
            f"belongs to the user retentiond runs as, and has room.",
            Fault.READ_ONLY,
        ) from None


def _refuse_far(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> None:
    """Raise `StateError` where `path` lies on a network file system: SQLite's locks and syncs do not hold there."""
    try:
        device = path.parent.stat().st_dev
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return  # nothing to be told here; opening the file says what is wrong with it
    here = f"{os.major(device)}:{os.minor(device)}"
    kinds = {line.partition(" - ")[2].split(" ", 1)[0] for line in lines if line.split(" ")[2:3] == [here]}
    if far := kinds & _FAR:
        raise StateError(
            f"{path.parent} lies on a network file system ({', '.join(sorted(far))}), where SQLite can lose what it committed. "
            f"Put the state directory on a local disk, or use PostgreSQL."
        )


def _postgresql(url: sa.URL, *, readonly: bool) -> sa.Engine:
    if importlib.util.find_spec("psycopg") is None:
        raise ConfigurationError("State in PostgreSQL needs a driver: install retentiond with its extra `postgresql`.")
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={"connect_timeout": PATIENCE, "application_name": "retentiond"},
        isolation_level="REPEATABLE READ" if readonly else "READ COMMITTED",
        pool_pre_ping=True,
        pool_timeout=PATIENCE,
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", _read_only_session if readonly else _durable_session)
    return engine


def _read_only_session(connection: Any, _record: object) -> None:
    _session(connection, {"TimeZone": "UTC", "default_transaction_read_only": "on"})


def _durable_session(connection: Any, _record: object) -> None:
    settings = {"TimeZone": "UTC", "lock_timeout": f"{PATIENCE}s", "default_transaction_read_only": "off"}
    if _shown(connection, "synchronous_commit") not in _DURABLE:
        settings["synchronous_commit"] = "on"
    _session(connection, settings)
    if _shown(connection, "synchronous_commit") not in _DURABLE:
        raise DatabaseError(
            "PostgreSQL does not let this role wait until a commit is durable (synchronous_commit); allow it.", Fault.REFUSED
        )


def _session(connection: Any, settings: dict[str, str]) -> None:
    with connection.cursor() as cursor:
        for name, value in settings.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.commit()


def _shown(connection: Any, name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", (name,))
        (value,) = cursor.fetchone()
    connection.commit()
    return str(value)


def refuse_without_fsync(engine: sa.Engine) -> None:
    """Raise `StateError` where a PostgreSQL server runs with `fsync` off, so that a power cut would take commits back."""
    if is_sqlite(engine):
        return  # synchronous=FULL was read back when the file was opened
    with translated(), engine.connect() as connection:
        if connection.execute(sa.select(sa.func.current_setting(FSYNC))).scalar_one() != "on":
            raise StateError("The PostgreSQL server runs with fsync=off: a power cut takes back what it committed. Switch it on.")


@contextmanager
def translated(place: str = "The state database") -> Iterator[None]:
    """Turn what a driver raises into `DatabaseError`: a finished sentence about `place` without the driver's own words."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        fault, code = _fault(error.orig)
    except sqlite3.Error as error:
        fault, code = _fault(error)
    except sa.exc.TimeoutError:
        fault, code = Fault.LOCKED, "pool"
    else:
        return
    # Raised out here, and without a cause: a driver's text can hold what it was given.
    raise DatabaseError(f"{place} {_SAYS[fault]} ({code})", fault) from None


_SAYS = {
    Fault.FULL: "has no room left on its disk. Make room there; nothing of the interrupted step was kept.",
    Fault.DISK: "met an error of its disk or file system. Look at the kernel's log; nothing of the interrupted step was kept.",
    Fault.READ_ONLY: "cannot be written. Give the user retentiond runs as write access to it and to its directory.",
    Fault.UNREACHABLE: "cannot be reached or opened. Check that it is there, answers, and lets retentiond's user in.",
    Fault.LOCKED: "is in use by somebody else for too long. Look who holds it, and try again.",
    Fault.DAMAGED: "is damaged, or is no database. Keep it aside for study and restore it from a backup.",
    Fault.REFUSED: "did not take a statement; this is a defect of retentiond, or somebody changed its tables.",
}

_SQLITE = {
    sqlite3.SQLITE_FULL: Fault.FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE: Fault.FULL,  # what a full disk looks like while the write-ahead log is being opened
    sqlite3.SQLITE_IOERR: Fault.DISK,
    sqlite3.SQLITE_READONLY: Fault.READ_ONLY,
    sqlite3.SQLITE_PERM: Fault.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: Fault.UNREACHABLE,
    sqlite3.SQLITE_BUSY: Fault.LOCKED,
    sqlite3.SQLITE_LOCKED: Fault.LOCKED,
    sqlite3.SQLITE_CORRUPT: Fault.DAMAGED,
    sqlite3.SQLITE_NOTADB: Fault.DAMAGED,
}
_POSTGRESQL = {
    "25006": Fault.READ_ONLY,
    "42501": Fault.READ_ONLY,
    "53100": Fault.FULL,
    "55P03": Fault.LOCKED,
    "40P01": Fault.LOCKED,
    "40001": Fault.LOCKED,
}
_POSTGRESQL_CLASSES = {
    "08": Fault.UNREACHABLE,
    "28": Fault.UNREACHABLE,
    "3D": Fault.UNREACHABLE,
    "53": Fault.UNREACHABLE,
    "57": Fault.UNREACHABLE,
    "58": Fault.DISK,
    "XX": Fault.DAMAGED,
}


def _fault(error: BaseException | None) -> tuple[Fault, str]:
    """What kind of trouble a driver's error is, and the code (never the text) it goes by."""
    if isinstance(error, sqlite3.Error):
        # Extended codes carry the primary one in their lowest byte; the driver's own errors have none at all.
        number = getattr(error, "sqlite_errorcode", None)
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        return (Fault.REFUSED if number is None else _SQLITE.get(number) or _SQLITE.get(number & 0xFF, Fault.REFUSED)), str(name)
    state = getattr(error, "sqlstate", None)
    if state is None:
        # psycopg has no state for a server that is not there or went away.
        lost = type(error).__name__ in {"OperationalError", "ConnectionTimeout", "InterfaceError"}
        return (Fault.UNREACHABLE if lost else Fault.REFUSED), type(error).__name__
    return _POSTGRESQL.get(state, _POSTGRESQL_CLASSES.get(state[:2], Fault.REFUSED)), f"SQLSTATE {state}"


def migrate(engine: sa.Engine, scripts: str, version_table: str | None = None) -> None:
    """Bring the tables of one package up to date, in one transaction; harmless where nothing is to be done.

    `scripts` names the Alembic folder as `package:folder`, its `versions` hold the steps. The table that remembers how
    far they went is named after the package (`store_version`) where `version_table` is not given. Several processes
    may call this at once. Raises `StateError` where the tables were made by a newer retentiond.
    """
    from alembic.operations import Operations  # noqa: PLC0415 - dear to load, and of use only where something is to be done
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415 - see above

    directory, table = _directory(scripts), version_table or _version_table(scripts)
    with translated(), engine.begin() as connection:
        if not is_sqlite(engine):
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATING)))
        options = {"version_table": table, "fn": lambda at, _context: directory._upgrade_revs("head", at)}  # noqa: SLF001 - as `env.py` would
        context = MigrationContext.configure(connection, opts=options)
        _refuse_newer(context, directory, engine)
        with Operations.context(context):
            context.run_migrations()


def is_at(engine: sa.Engine, version_table: str, newest: str) -> bool:
    """True where the tables of a package are at its newest step, so that nothing is to be migrated."""
    version = sa.table(version_table, sa.column("version_num"))
    with translated(), engine.connect() as connection:
        if not sa.inspect(connection).has_table(version.name):
            return False
        return list(connection.execute(sa.select(version.c.version_num)).scalars()) == [newest]


def _directory(scripts: str) -> ScriptDirectory:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - dear to load

    package, _, folder = scripts.partition(":")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(f"The package {package} is not installed whole; install retentiond again.")
    return ScriptDirectory(str(Path(next(iter(spec.submodule_search_locations))) / folder))


def _version_table(scripts: str) -> str:
    return scripts.partition(":")[0].rpartition(".")[2] + "_version"


def _refuse_newer(context: MigrationContext, directory: ScriptDirectory, engine: sa.Engine) -> None:
    known = {script.revision for script in directory.walk_revisions()}
    if set(context.get_current_heads()) - known:
        raise StateError(
            f"The tables in {place_of(engine)} were made by a newer retentiond than this one. Install that version again; "
            f"an older one could not keep them whole."
        )
