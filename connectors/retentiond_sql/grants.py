"""What MariaDB and MySQL let our role do, read from SHOW GRANTS: asking costs no right and changes nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

_QUOTED = r"\*|`(?:[^`]|``)+`"
_GRANT = re.compile(rf"GRANT (?P<rights>.+?) ON (?:TABLE )?(?P<database>{_QUOTED})\.(?P<table>{_QUOTED}) TO ", re.DOTALL)
_RIGHT = re.compile(r"([A-Z][A-Z ]*[A-Z])(?: \(([^)]*)\))?")
_NO_GRANT_TABLES = 1290
"""What a server says that was started with --skip-grant-tables, where everybody may do everything."""

_NAME = re.compile(r"`((?:[^`]|``)+)`")


@dataclass(frozen=True, slots=True)
class Grant:
    """One line of SHOW GRANTS."""

    rights: dict[str, frozenset[str] | None]
    """Each right, with the columns it is limited to; None where it is not."""
    database: str | None
    """A LIKE pattern where `table` is None, else a name; None stands for all databases."""
    table: str | None
    """None stands for all tables."""

    @property
    def everywhere(self) -> bool:
        """True for a grant on all tables of the server."""
        return self.database is None and self.table is None

    def covers(self, database: str, table: str) -> bool:
        """True where the grant is on that table."""
        if self.table is not None:
            return (self.database, self.table) == (database, table)
        return self.database is None or _pattern(self.database).fullmatch(database) is not None

    def allows(self, right: str) -> bool:
        """True where the right is granted without a limit to some columns."""
        return "ALL PRIVILEGES" in self.rights or self.rights.get(right, frozenset()) is None


def read_grants(connection: sa.Connection) -> list[Grant]:
    """All grants of our role on tables."""
    try:
        with connection.begin_nested():
            lines = connection.execute(sa.text("SHOW GRANTS")).scalars().all()
    except sa.exc.DBAPIError as error:
        if error.orig is None or error.orig.args[:1] != (_NO_GRANT_TABLES,):
            raise
        return [Grant({"ALL PRIVILEGES": None}, None, None)]
    return [grant for line in lines if (grant := parse_grant(line)) is not None]


def parse_grant(line: str) -> Grant | None:
    """Read one line; None where it grants something else, such as a role."""
    match = _GRANT.match(line)
    if match is None:
        return None
    rights: dict[str, frozenset[str] | None] = {}
    for right, columns in _RIGHT.findall(match["rights"]):
        rights[right] = frozenset(map(_plain, _NAME.findall(columns))) if columns else None
    database, table = (None if match[name] == "*" else _plain(match[name][1:-1]) for name in ("database", "table"))
    return Grant(rights, database, table)


def granted(grants: Sequence[Grant], right: str, database: str, table: str, columns: Sequence[str] = ()) -> bool:
    """True where the role has the right on the table, or on all of these columns of it."""
    fitting = [grant for grant in grants if grant.covers(database, table)]
    if any(grant.allows(right) for grant in fitting):
        return True
    some = frozenset[str]().union(*(grant.rights.get(right) or () for grant in fitting))
    return bool(columns) and some >= set(columns)


def _plain(name: str) -> str:
    return name.replace("``", "`")


def _pattern(text: str) -> re.Pattern[str]:
    """A database name with SQL's wildcards: `%`, `_`, and a backslash before one that is meant."""
    pieces = re.findall(r"\\.|.", text, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return re.compile("".join(wild.get(piece) or re.escape(piece.removeprefix("\\") or piece) for piece in pieces), re.DOTALL)
