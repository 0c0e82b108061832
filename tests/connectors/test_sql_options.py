"""The options of the SQL connector: what they allow, what they refuse and in which words."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from support.sql_world import dataset

from retentiond.connector import RULED, Action, Copy
from retentiond_sql import connector
from retentiond_sql.options import SqlConnection, SqlDataset


def refused(model: Any, options: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("postgresql://role:canary@host/db", "a password has no place in the URL"),
        ("postgresql://role@host/db?password=canary", "a password has no place in the URL"),
        ("mariadb://role:@host/db", "a password has no place in the URL"),
        ("oracle://role@host/db", "this kind of database is not known"),
        ("postgresql+asyncpg://role@host/db", "leave the driver out"),
        ("sqlite://", "absolute path"),
        ("sqlite:///relative.db", "absolute path"),
        ("sqlite:////file.db?mode=rwc", "absolute path"),
        ("postgresql://role@host", "must name the database"),
        ("host/db", "no database URL"),
    ],
)
def test_urls_that_are_refused(url: str, what: str) -> None:
    text = refused(SqlConnection, {"url": url})
    assert what in text
    assert "canary" not in text


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://role@host/db?sslmode=verify-full",
        "postgresql+psycopg://role@host:5433/db",
        "mariadb://role@host/db?ssl_ca=/etc/ca.pem",
        "mysql+pymysql://role@/db?unix_socket=/run/mysqld/mysqld.sock",
        "sqlite:////var/lib/shop.db",
    ],
)
def test_urls_that_are_allowed(url: str) -> None:
    assert SqlConnection(url=url).address().drivername in {"postgresql+psycopg", "mysql+pymysql", "sqlite"}


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"key": []}, "at least 1"),
        ({"dates": {}}, "at least 1"),
        ({"tabel": "x"}, "Extra inputs are not permitted"),
        ({"where": "1=1"}, "Extra inputs are not permitted"),
        ({"table": "a.b.c"}, "schema.table"),
        ({"dates": {"closed": {"column": "a", "kind": "local-timestamp"}}}, "`zone` belongs to kind local-timestamp"),
        ({"dates": {"closed": {"column": "a", "kind": "timestamp", "zone": "UTC"}}}, "`zone` belongs to kind local-timestamp"),
        ({"dates": {"closed": {"column": "a", "kind": "local-timestamp", "zone": "Berlin"}}}, "not known"),
        ({"dates": {"closed": {"column": "a", "kind": "epoch"}}}, "`unit` belongs to kind epoch"),
        ({"only": {"status": 1.5}}, "only.status"),
        ({"only": {"status": []}}, "at least 1"),
        ({"only": {"status": 2**63}}, "only.status"),
        ({"block": {}}, "exactly one of `flag`, `moved_to`"),
        ({"block": {"flag": {"a": True}, "moved_to": "b"}}, "exactly one of `flag`, `moved_to`"),
        ({"block": {"flag": {}}}, "at least 1"),
        ({"block": {"flag": {"closed_at": "x"}}}, "block.flag would change the column closed_at"),
        ({"block": {"moved_to": "b"}, "parts": [{"table": "c", "refers": {"a": "id"}}]}, "cannot move parts along"),
        ({"block": {"moved_to": "customers"}}, "must name another table"),
        ({"parts": [{"table": "c", "refers": {}}]}, "at least 1"),
        ({"anonymize": {"columns": {"name": "null"}}}, "marker"),
        ({"anonymize": {"columns": {"id": "null"}, "marker": {"x": 1}}}, "anonymize.columns would change the column id"),
        ({"anonymize": {"columns": {"x": "null"}, "marker": {"x": 1}}}, "anonymize.marker would change the column x"),
        ({"anonymize": {"columns": {"x": "hash"}, "marker": {"y": 1}}}, "anonymize.columns.x"),
        (
            {"anonymize": {"columns": {"x": "null"}, "marker": {"y": 1}}, "parts": [{"table": "c", "refers": {"a": "id"}}]},
            "anonymize.parts (delete or keep)",
        ),
        ({"copies": [{"name": "backups", "lives": "P1M"}]}, "weeks, days or hours"),
        ({"copies": [{"name": "backups", "lives": "30"}]}, "weeks, days or hours"),
        ({"copies": [{"name": "backups", "lives": "-P3D"}]}, "weeks, days or hours"),
    ],
)
def test_data_sets_that_are_refused(options: dict[str, Any], what: str) -> None:
    base = {"table": "customers", "key": ["id"], "dates": {"closed": {"column": "closed_at", "kind": "timestamp"}}}
    assert what in refused(SqlDataset, base | options)


def test_an_unquoted_null_is_a_strategy() -> None:
    options = dataset(anonymize={"columns": {"a": None, "b": "null"}, "marker": {"done": True}})
    assert options.anonymize is not None
    assert options.anonymize.columns == {"a": None, "b": "null"}


def test_offers_what_the_options_prepare() -> None:
    here = SqlConnection(url="sqlite:////x.db")
    assert connector.offer(here, dataset()).actions == {Action.DELETE}
    prepared = dataset(block={"flag": {"b": True}}, anonymize={"columns": {"a": None}, "marker": {"c": 1}})
    assert connector.offer(here, prepared).actions == set(RULED)
    assert connector.offer(here, prepared).dates == {"closed"}


def test_copies_are_unknown_until_somebody_says_otherwise() -> None:
    untold = SqlConnection(url="postgresql://r@h/d")
    assert list(connector.copies(untold, dataset())) == [Copy("write-ahead log", None), Copy("backups", None)]
    none = SqlConnection(url="postgresql://r@h/d", copies=())
    assert list(connector.copies(none, dataset())) == []
    told = SqlConnection.model_validate({"url": "postgresql://r@h/d", "copies": [{"name": "backups", "lives": "P30D"}]})
    more = dataset(copies=[{"name": "search table", "lives": "PT12H"}, {"name": "replica"}])
    assert list(connector.copies(told, more)) == [
        Copy("backups", timedelta(days=30)),
        Copy("search table", timedelta(hours=12)),
        Copy("replica", None),
    ]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("17", ("17",)),
        ("berlin,17", ("berlin", "17")),
        ('["a,b"]', ("a,b",)),
        ('["a,b", 17]', ("a,b", "17")),
        ("[not json", ("[not json",)),
        ("[1.5]", ("[1.5]",)),
        ("", ("",)),
    ],
)
def test_keys_as_people_type_them(text: str, key: tuple[str, ...]) -> None:
    assert connector.key(text) == key


def test_no_secret_shows_in_a_repr() -> None:
    assert "canary" not in repr(SqlConnection.model_validate({"url": "postgresql://r@h/d", "password": {"environment": "X"}}))


def test_imports_without_any_driver() -> None:
    without = "import sys; sys.modules['psycopg'] = sys.modules['pymysql'] = None"
    code = f"{without}; import retentiond_sql; print(retentiond_sql.connector.name)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("sql\n", "")
