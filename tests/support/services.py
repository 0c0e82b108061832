"""Real PostgreSQL and MariaDB servers for the tests: one of each per test session, a fresh database per test.

Both live in a scratch folder, listen on a Unix socket only and die with the test process. Their own time zone is
Asia/Kathmandu, which finds what UTC hides. MariaDB's durability is switched off, as no test
pulls the plug; PostgreSQL's is not, since retentiond refuses to keep its state where it is.
Where a server's programs are not installed the test is skipped by name; with `CI=true` it fails instead.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa

ZONE = "Asia/Kathmandu"
"""Where the servers believe to be: 5:45 ahead of UTC."""

PATIENCE = 60.0
"""Seconds a server may take to answer for the first time."""

ROOM = 2 * 1024**3
"""Bytes that have to be free in memory for a server to live there."""

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `admin` may do everything in it."""

    name: str
    admin: sa.URL

    def execute(self, *statements: str) -> None:
        """Run statements as the administrator, each in its own transaction."""
        engine = sa.create_engine(self.admin, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)


def missing(what: str) -> NoReturn:
    """Skip the test because a service is not installed; fail where it has to be (CI)."""
    message = f"{what} is not installed here, so this test cannot run against it."
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)


def _program(name: str, *folders: Path) -> Path | None:
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


def _somebody(*names: str) -> str | None:
    """The first of the users that exists, where we are root: neither server wants to be run by root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in (*names, "nobody") if name in known)


def _scratch(owner: str | None) -> Path:
    # Not pytest's tmp_path: a socket's path may have 107 bytes, and the servers' user must be able to reach it.
    # In memory where there is room: what a test writes need not survive, and fsync costs nothing there.
    memory = Path("/dev/shm")  # noqa: S108 - see above
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM
    folder = Path(tempfile.mkdtemp(prefix="rt-", dir=memory if roomy else "/tmp"))  # noqa: S108 - see above
    if owner is not None:
        shutil.chown(folder, owner)
    return folder


def _dies_with_us(death: signal.Signals) -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)

    def set_death_signal() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(death), 0, 0, 0)

    return set_death_signal


def _privileges(owner: str | None) -> dict[str, Any]:
    if owner is None:
        return {}
    entry = pwd.getpwnam(owner)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _prepare(command: list[str], folder: Path, owner: str | None) -> None:
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, **_privileges(owner))
    if done.returncode != 0:
        pytest.fail(f"{command[0]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")


def _serve(
    command: list[str], folder: Path, owner: str | None, url: sa.URL, door: Path, death: signal.Signals
) -> subprocess.Popen[bytes]:
    """Start a server and wait until it answers; `door` is its socket."""
    output = folder / "server.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=_dies_with_us(death),  # noqa: PLW1509 - tests start servers before they start threads
            **_privileges(owner),
        )
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            # The socket is tried bare first: PyMySQL leaves one open for each attempt that fails.
            with socket.socket(socket.AF_UNIX) as knock:
                knock.connect(str(door))
            engine.connect().close()
        except (OSError, sa.exc.DBAPIError):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"{command[0]} did not answer:\n{output.read_text(errors='replace')}")
            time.sleep(0.05)
        else:
            return process


def _stop(process: subprocess.Popen[bytes], folder: Path, how: signal.Signals) -> None:
    process.send_signal(how)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A PostgreSQL server of this test session."""
    # Debian's wrappers on the PATH manage clusters of the machine; the real programs lie beside the libraries.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: _number(folder.parent.name), reverse=True)
    initdb, postgres = _program("initdb", *folders), _program("postgres", *folders)
    if initdb is None or postgres is None:
        missing("PostgreSQL")
    owner = _somebody("postgres")
    folder = _scratch(owner)
    data = folder / "data"
    _prepare(
        [str(initdb), "-D", str(data), "-U", "admin", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"], folder, owner
    )
    hba = data / "pg_hba.conf"
    hba.write_text("local all with_password scram-sha-256\nlocal all all trust\n")
    options = {
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_directories": str(folder),
        "full_page_writes": "off",
        "timezone": ZONE,
        "max_connections": "60",
        "shared_buffers": "32MB",
        "log_timezone": "UTC",
    }
    url = sa.URL.create("postgresql+psycopg", "admin", database="postgres", query={"host": str(folder), "port": "5432"})
    command = [str(postgres), "-D", str(data), *(word for key, value in options.items() for word in ("-c", f"{key}={value}"))]
    process = _serve(command, folder, owner, url, folder / ".s.PGSQL.5432", signal.SIGQUIT)
    try:
        yield Server("postgresql", url)
    finally:
        _stop(process, folder, signal.SIGINT)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """A MariaDB server of this test session."""
    yield from serving_mariadb()


def serving_mariadb(*more: str) -> Generator[Server]:
    """A MariaDB server, with `more` on its command line."""
    install, mariadbd = _program("mariadb-install-db"), _program("mariadbd")
    if install is None or mariadbd is None:
        missing("MariaDB")
    owner = _somebody("mysql")
    folder = _scratch(owner)
    data, door = folder / "data", folder / "s"
    _prepare(
        [
            str(install),
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ],
        folder,
        owner,
    )
    command = [
        str(mariadbd),
        "--no-defaults",
        f"--datadir={data}",
        f"--socket={door}",
        f"--pid-file={folder / 'pid'}",
        "--skip-networking",
        "--default-time-zone=+05:45",
        "--character-set-server=utf8mb4",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-buffer-pool-size=32M",
        "--skip-log-bin",
        *more,
    ]
    url = sa.URL.create(
        "mysql+pymysql", "root", host="localhost", database="mysql", query={"unix_socket": str(door), "ssl_disabled": "1"}
    )
    process = _serve(command, folder, owner, url, door, signal.SIGTERM)
    try:
        yield Server("mariadb", url)
    finally:
        _stop(process, folder, signal.SIGTERM)


def fresh_postgresql(server: Server) -> Generator[sa.URL]:
    """A new empty database, and the URL of the role that owns it; both go afterwards."""
    name = f"t_{uuid.uuid4().hex[:16]}"
    server.execute(f"CREATE ROLE {name} LOGIN", f"CREATE DATABASE {name} OWNER {name}")
    try:
        yield server.admin.set(username=name, database=name)
    finally:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)", f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def fresh_mariadb(server: Server) -> Generator[sa.URL]:
    """A new empty database, and the URL of a user with all rights in it; both go afterwards."""
    name = f"t_{uuid.uuid4().hex[:16]}"
    server.execute(
        f"CREATE DATABASE {name}",
        f"CREATE USER {name}@localhost",
        f"GRANT ALL ON {name}.* TO {name}@localhost",
        f"GRANT REFERENCES ON *.* TO {name}@localhost",  # to see who refers to its tables
    )
    try:
        yield server.admin.set(username=name, database=name)
    finally:
        server.execute(f"DROP DATABASE {name}", f"DROP USER {name}@localhost")


@pytest.fixture
def postgresql(postgresql_server: Server) -> Iterator[sa.URL]:
    """The URL (postgresql+psycopg) of a fresh, empty PostgreSQL database whose user owns it."""
    yield from fresh_postgresql(postgresql_server)


@pytest.fixture
def mariadb(mariadb_server: Server) -> Iterator[sa.URL]:
    """The URL (mysql+pymysql) of a fresh, empty MariaDB database in which its user may do everything."""
    yield from fresh_mariadb(mariadb_server)


@pytest.fixture
def sqlite(tmp_path: Path) -> sa.URL:
    """The URL of a SQLite file that does not exist yet."""
    return sa.URL.create("sqlite", database=str(tmp_path / "records.db"))


DATABASES = ("sqlite", "postgresql", "mariadb")
"""The databases that the SQL connector is proven on."""


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> sa.URL:
    """The URL of a fresh database, once for each database that the SQL connector is proven on."""
    url: sa.URL = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test process believes to be in Asia/Kathmandu."""
    monkeypatch.setenv("TZ", ZONE)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
