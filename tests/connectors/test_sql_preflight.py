"""The preflight finds what would make an act impossible, wrong or wider than meant, before anything is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.services import Server, serving_mariadb
from support.sql_world import ANONYMIZE, BLOCK, CUSTOMERS, DELETE, World, before, dataset, only_on, opened

from retentiond.connector import Action, ConnectorError
from retentiond_sql.grants import granted, parse_grant

pytestmark = pytest.mark.usefixtures("far_from_utc")


@pytest.fixture
def world(database: sa.URL) -> Iterator[World]:
    yield from opened(database)


@pytest.fixture
def shop(world: World) -> World:
    world.do(CUSTOMERS)
    return world


def findings(
    world: World, action: Action = DELETE, *, refuses: bool = True, connection: dict[str, Any] | None = None, **options: Any
) -> str:
    with world.reader(dataset(**options), **(connection or {})) as reader:
        return "\n".join(finding.what for finding in reader.preflight(action) if finding.refuses is refuses)


def test_nothing_refuses_a_sound_table(shop: World) -> None:
    assert findings(shop) == ""
    assert findings(shop, BLOCK, block={"flag": {"blocked": True}}) == ""


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"table": "nowhere"}, "no table nowhere"),
        ({"key": ["nothing"]}, "no column nothing"),
        ({"unchanged": ["nothing"]}, "no column nothing"),
        ({"only": {"nothing": 1}}, "no column nothing"),
        ({"only": {"status": 1}}, "another type"),
        ({"only": {"id": "1"}}, "another type"),
        ({"dates": {"closed": {"column": "id", "kind": "timestamp"}}}, "cannot hold a date of kind timestamp"),
        ({"dates": {"closed": {"column": "status", "kind": "epoch", "unit": "seconds"}}}, "cannot hold a date of kind epoch"),
        ({"key": ["name"]}, "the same name"),
    ],
)
def test_settings_that_do_not_fit_the_schema_are_told_of(shop: World, options: dict[str, Any], what: str) -> None:
    assert what in findings(shop, **options)


@only_on("postgresql", "mariadb")
def test_a_kind_that_mistakes_the_zone_is_refused(world: World) -> None:
    world.do("CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, a {instant}, b {local})")
    zoned = {"kind": "local-timestamp", "zone": "Europe/Berlin"}
    assert "kind timestamp" in findings(world, dates={"closed": {"column": "b", "kind": "timestamp"}})
    assert "kind local-timestamp" in findings(world, dates={"closed": {"column": "a", **zoned}})
    assert "kind date" in findings(world, dates={"closed": {"column": "b", "kind": "date"}})
    assert findings(world, dates={"x": {"column": "a", "kind": "timestamp"}, "y": {"column": "b", **zoned}}) == ""


@only_on("postgresql")
def test_a_value_that_the_columns_type_does_not_know_is_told_of(world: World) -> None:
    world.do(
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "CREATE TABLE customers (id integer PRIMARY KEY, closed_at timestamptz, mood mood, code uuid, paid date)",
    )
    for only in ({"mood": "angry"}, {"code": "17"}, {"paid": "soon"}):
        assert "do not fit the types of those columns" in findings(world, only=only)
    assert findings(world, only={"mood": "ok", "paid": "2020-01-01"}) == ""


def test_null_in_a_key_refuses(world: World) -> None:
    world.do("CREATE TABLE customers (id {text} UNIQUE, closed_at {instant})", "INSERT INTO customers VALUES (NULL, NULL)")
    assert "have NULL in their key" in findings(world)


@only_on("sqlite", "postgresql")
def test_a_key_that_is_unique_only_in_part_of_the_table_refuses(world: World) -> None:
    world.do(
        "CREATE TABLE customers (id INTEGER NOT NULL, closed_at {instant})",
        "CREATE UNIQUE INDEX u ON customers (id) WHERE closed_at IS NOT NULL",
    )
    assert "Nothing in the database keeps two rows" in findings(world)


def test_a_key_of_a_type_without_a_text_form_refuses(world: World) -> None:
    world.do("CREATE TABLE customers (id REAL NOT NULL PRIMARY KEY, closed_at {instant})")
    assert "cannot be part of a key" in findings(world)


def test_a_view_refuses(shop: World) -> None:
    shop.do("CREATE VIEW seen AS SELECT * FROM customers")
    assert "not a table" in findings(shop, table="seen")


def test_a_rule_that_does_something_else_refuses(postgresql: sa.URL) -> None:
    for world in opened(postgresql):
        world.do(CUSTOMERS, "CREATE RULE more AS ON DELETE TO customers DO ALSO NOTIFY customers")
        assert findings(world) == ""
        world.do(
            "CREATE RULE keep AS ON DELETE TO customers DO INSTEAD "
            "UPDATE customers SET status = 'gone' WHERE id = OLD.id RETURNING OLD.*"
        )
        assert "does something else INSTEAD" in findings(world)


def test_triggers_are_told_of(shop: World) -> None:
    statement = {
        "sqlite": "CREATE TRIGGER copies AFTER DELETE ON customers BEGIN SELECT 1; END",
        "postgresql": "CREATE TRIGGER copies BEFORE UPDATE ON customers FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "mysql": "CREATE TRIGGER copies AFTER DELETE ON customers FOR EACH ROW SET @x = 1",
    }
    shop.do(statement[shop.kind])
    assert "triggers or rules (copies)" in findings(shop, refuses=False)


@only_on("sqlite")
def test_case_means_nothing_in_the_names_of_tables(shop: World) -> None:
    shop.do("CREATE TABLE Orders (customer INTEGER REFERENCES customers (id) ON DELETE CASCADE)")
    assert findings(shop, table="CUSTOMERS", parts=[{"table": "orders", "refers": {"customer": "id"}}]) == ""


@only_on("sqlite")
def test_a_trigger_may_have_the_name_of_the_table(shop: World) -> None:
    shop.do("CREATE TABLE orders (id INTEGER)", "CREATE TRIGGER customers AFTER INSERT ON orders BEGIN SELECT 1; END")
    assert findings(shop) == ""


def test_the_table_for_blocked_records_must_take_them_whole(shop: World) -> None:
    shop.do(
        "CREATE TABLE archive (id INTEGER NOT NULL PRIMARY KEY, closed_at {instant}, status {text}, blocked {bool}, "
        "why {text} NOT NULL)"
    )
    told = findings(shop, BLOCK, block={"moved_to": "archive"})
    assert "lacks the columns name" in told
    assert "The columns why of" in told


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"name": "null"}, "it is NOT NULL"),
        ({"mail": "redact"}, "its values have to be unique"),
        ({"code": "redact"}, "it holds 5 characters"),
        ({"code": {"pseudonym": {"environment": "X"}}}, "it holds 5 characters"),
        ({"points": "redact"}, "it does not hold text"),
        ({"nothing": "null"}, "no column nothing"),
        ({"mail": "null", "code": "null"}, "The columns name, points of the table"),
    ],
)
def test_what_stands_against_a_strategy_is_told_at_plan_time(world: World, columns: dict[str, Any], what: str) -> None:
    world.do(
        "CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, closed_at {instant}, name {text} NOT NULL, mail {text} UNIQUE, "
        "code varchar(5), points INTEGER, done {bool})"
    )
    assert what in findings(world, ANONYMIZE, anonymize={"columns": columns, "marker": {"done": True}})


@pytest.mark.parametrize(
    ("database", "index"),
    [("sqlite", "(name) WHERE id > 0"), ("postgresql", "(name) WHERE id > 0"), ("postgresql", "(lower(name))")],
    indirect=["database"],
)
def test_a_constant_would_clash_in_every_kind_of_unique_index(shop: World, index: str) -> None:
    shop.do(f"CREATE UNIQUE INDEX u ON customers {index}")
    anonymize = {"columns": {"name": "redact"}, "marker": {"status": "x"}, "kept": ["blocked"]}
    assert "its values have to be unique" in findings(shop, ANONYMIZE, anonymize=anonymize)


@only_on("postgresql", "mariadb")
@pytest.mark.parametrize("strategy", ["redact", {"constant": "happy"}, {"constant": True}, {"pseudonym": {"environment": "X"}}])
def test_a_value_that_an_enum_does_not_know_is_told_at_plan_time(world: World, strategy: object) -> None:
    kind = "ENUM('sad', 'ok', 'a word that is as long as any digest')"
    if world.kind == "postgresql":
        world.do(f"CREATE TYPE mood AS {kind}")
        kind = "mood"
    world.do(f"CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, closed_at {{instant}}, mood {kind}, done {{bool}})")
    told = findings(world, ANONYMIZE, anonymize={"columns": {"mood": strategy}, "marker": {"done": True}})
    assert "it does not know that value" in told
    assert findings(world, ANONYMIZE, anonymize={"columns": {"mood": {"constant": "ok"}}, "marker": {"done": True}}) == ""


def test_a_sound_way_to_anonymize_is_not_refused_and_a_pseudonym_is_called_one(shop: World) -> None:
    anonymize = {"columns": {"name": {"pseudonym": {"environment": "X"}}}, "marker": {"status": "x"}, "kept": ["blocked"]}
    assert findings(shop, ANONYMIZE, anonymize=anonymize) == ""
    assert "is pseudonymized, not anonymized" in findings(shop, ANONYMIZE, refuses=False, anonymize=anonymize)


def test_a_sqlite_file_that_cannot_be_written_refuses(sqlite: sa.URL, monkeypatch: pytest.MonkeyPatch) -> None:
    for world in opened(sqlite):
        world.do(CUSTOMERS)
        # Root may write everywhere, so the answer of the operating system is given by hand.
        monkeypatch.setattr("os.access", lambda path, _mode: Path(path).is_dir())
        assert "cannot be written" in findings(world)


@pytest.fixture
def limited(shop: World, request: pytest.FixtureRequest) -> Iterator[tuple[World, str]]:
    """A shop, and a role without any right that its connection uses."""
    server: Server = request.getfixturevalue(f"{'mariadb' if shop.kind == 'mysql' else 'postgresql'}_server")
    role, host = f"r_{shop.url.database}", "@localhost" if shop.kind == "mysql" else ""
    server.execute(f"CREATE {'USER' if host else 'ROLE'} {role}{host}{'' if host else ' LOGIN'}")
    owner, shop.url = shop.url, shop.url.set(username=role)
    yield shop, f"{role}{host}"
    shop.url = owner
    if host:
        server.execute(f"DROP USER {role}{host}")
    else:
        shop.do(f"REVOKE ALL ON customers FROM {role}")
        server.execute(f"DROP ROLE {role}")


def grant(world: World, request: pytest.FixtureRequest, rights: str, to: str, table: str = "customers") -> None:
    if world.kind == "postgresql":
        world.do(f"GRANT {rights} ON {table} TO {to}")
    else:
        request.getfixturevalue("mariadb_server").execute(f"GRANT {rights} ON {world.url.database}.{table} TO {to}")


@only_on("postgresql", "mariadb")
def test_a_role_that_may_not_read_is_told_so_and_finds_nothing_instead_of_an_empty_table(
    limited: tuple[World, str], request: pytest.FixtureRequest
) -> None:
    world, role = limited
    if world.kind == "mysql":
        grant(world, request, "CREATE", role, "x")  # without any right it could not even enter the database
    told = findings(world)
    assert "may not see it" in told or "lacks the right to SELECT" in told
    with world.reader(dataset()) as reader, pytest.raises(ConnectorError):
        reader.count()


@only_on("postgresql", "mariadb")
@pytest.mark.parametrize(
    ("rights", "action", "missing"),
    [
        ("SELECT", DELETE, "DELETE on"),
        ("SELECT, DELETE", BLOCK, "UPDATE (blocked) on"),
        ("SELECT, UPDATE (name)", BLOCK, "UPDATE (blocked) on"),
        ("SELECT, DELETE, UPDATE (id)", DELETE, ""),
        ("SELECT, UPDATE (blocked)", BLOCK, ""),
    ],
)
def test_missing_rights_are_named(
    limited: tuple[World, str], request: pytest.FixtureRequest, rights: str, action: Action, missing: str
) -> None:
    world, role = limited
    grant(world, request, rights, role)
    if world.kind == "mysql":
        request.getfixturevalue("mariadb_server").execute(f"GRANT REFERENCES ON *.* TO {role}")
    told = findings(world, action, block={"flag": {"blocked": True}})
    assert missing in told
    assert bool(told) is bool(missing)


@pytest.mark.parametrize("right", ["GRANT PROCESS ON *.* TO {}", "GRANT SELECT ON {database}.* TO {}"])
def test_mariadb_tells_who_cannot_see_all_foreign_keys(mariadb: sa.URL, mariadb_server: Server, right: str) -> None:
    """Neither right shows the foreign keys of other databases, and the first not even those of this one."""
    for world in opened(mariadb):
        world.do(CUSTOMERS, "INSERT INTO customers (id, closed_at) VALUES (1, '2020-01-01')")
        role, other = f"r_{mariadb.database}@localhost", f"o_{mariadb.database}"
        mariadb_server.execute(
            f"CREATE USER {role}",
            f"GRANT SELECT, DELETE ON {mariadb.database}.customers TO {role}",
            right.format(role, database=mariadb.database),
            f"CREATE DATABASE {other}",
            f"CREATE TABLE {other}.orders (customer INTEGER, "
            f"FOREIGN KEY (customer) REFERENCES {mariadb.database}.customers (id) ON DELETE CASCADE)",
        )
        try:
            world.url = mariadb.set(username=role.partition("@")[0])
            assert "sees only some of the server's tables" in findings(world)
            with pytest.raises(ConnectorError, match="sees only some"):
                world.delete(dataset(), world.find(dataset(), before("2030-01-01")))
            mariadb_server.execute(f"GRANT REFERENCES ON *.* TO {role}")
            assert f"would reach the table {other}.orders" in findings(world)
            mariadb_server.execute(f"DROP TABLE {other}.orders")
            assert findings(world) == ""
        finally:
            mariadb_server.execute(f"DROP USER {role}", f"DROP DATABASE {other}")


def test_rows_that_a_policy_hides_are_never_taken_for_absent(postgresql: sa.URL) -> None:
    for world in opened(postgresql):
        world.do(CUSTOMERS, "INSERT INTO customers (id) VALUES (1)", "ALTER TABLE customers ENABLE ROW LEVEL SECURITY")
        assert findings(world) == ""  # the owner sees everything
        world.do("ALTER TABLE customers FORCE ROW LEVEL SECURITY")
        assert "may hide rows" in findings(world) or "lacks the right" in findings(world)
        with world.reader(dataset()) as reader, pytest.raises(ConnectorError):
            reader.count()


def test_a_table_that_others_inherit_from_refuses_and_a_partitioned_one_does_not(postgresql: sa.URL) -> None:
    for world in opened(postgresql):
        world.do(CUSTOMERS, "CREATE TABLE special () INHERITS (customers)")
        assert "inherit from the table" in findings(world)
        world.do(
            "CREATE TABLE logs (id integer NOT NULL, closed_at timestamptz NOT NULL, PRIMARY KEY (id, closed_at)) "
            "PARTITION BY RANGE (closed_at)",
            "CREATE TABLE logs_2020 PARTITION OF logs FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
        )
        options = dataset(table="logs", key=["id", "closed_at"])
        assert findings(world, table="logs", key=["id", "closed_at"]) == ""
        world.do("INSERT INTO logs VALUES (1, '2020-02-03 04:05:06.789Z'), (1, '2020-02-03 04:05:06.788Z')")
        refs = world.find(options, before("2030-01-01"))
        assert [ref.key for ref in refs] == [("1", f"2020-02-03T04:05:06.78{n}000+00:00") for n in (8, 9)]
        assert [answer.said for answer in world.delete(options, refs[1:])] == ["done"]
        assert world.column("SELECT count(*) FROM logs") == [1]


def test_mariadb_tables_without_transactions_and_with_a_history_refuse(mariadb: sa.URL) -> None:
    for world in opened(mariadb):
        world.do(CUSTOMERS + " ENGINE=MyISAM")
        assert "engine without transactions" in findings(world)
        world.do("DROP TABLE customers", CUSTOMERS + " WITH SYSTEM VERSIONING")
        assert "system-versioned" in findings(world)


def test_a_server_that_may_forget_is_told_of(shop: World) -> None:
    assert ("after a power cut" in findings(shop, refuses=False)) is (shop.kind == "mysql")


@pytest.mark.parametrize(
    ("line", "right", "table", "columns", "held"),
    [
        ("GRANT SELECT, DELETE ON `shop`.* TO `r`@`h`", "DELETE", "customers", (), True),
        ("GRANT SELECT ON `shop`.* TO `r`@`h`", "DELETE", "customers", (), False),
        ("GRANT ALL PRIVILEGES ON *.* TO `r`@`h` WITH GRANT OPTION", "DELETE", "customers", (), True),
        ("GRANT SELECT, UPDATE (`a`, `b`) ON `shop`.`customers` TO `r`@`h`", "UPDATE", "customers", ("b", "a"), True),
        ("GRANT SELECT, UPDATE (`a`, `b`) ON `shop`.`customers` TO `r`@`h`", "UPDATE", "customers", ("c",), False),
        ("GRANT SELECT ON `shop`.`customers` TO `r`@`h`", "SELECT", "orders", (), False),
        ("GRANT SELECT ON `sh\\_p`.* TO `r`@`h`", "SELECT", "customers", (), False),
        ("GRANT SELECT ON `sh_p`.* TO `r`@`h`", "SELECT", "customers", (), True),
        ("GRANT SELECT ON `s%`.* TO `r`@`h`", "SELECT", "customers", (), True),
        ("GRANT USAGE ON *.* TO `r`@`h`", "SELECT", "customers", (), False),
        ("GRANT `clerk` TO `r`@`h`", "SELECT", "customers", (), False),
    ],
)
def test_grants_are_read_as_mariadb_writes_them(line: str, right: str, table: str, columns: tuple[str, ...], held: bool) -> None:
    grant_read = parse_grant(line)
    assert granted([grant_read] if grant_read else [], right, "shop", table, columns) is held


def test_where_a_server_keeps_no_grants_everybody_has_them() -> None:
    """As with servers that are started for a trial."""
    serving = serving_mariadb("--skip-grant-tables")
    server = next(serving)
    try:
        server.execute("CREATE DATABASE trial")
        for trial in opened(server.admin.set(database="trial")):
            trial.do(CUSTOMERS)
            assert findings(trial) == ""
    finally:
        serving.close()
