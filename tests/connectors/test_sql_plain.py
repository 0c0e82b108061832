"""The short ways of the SQL connector say, and do, what the long ones say and do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.sql_world import TARGET, World, dataset, only_on, opened

from retentiond.connector import Answer, RecordRef
from retentiond_sql import acting, deleting, swift
from retentiond_sql.dates import Form
from retentiond_sql.fitting import read_layout
from retentiond_sql.layout import Layout
from retentiond_sql.options import SqlDataset
from retentiond_sql.plain import is_plain, reading
from retentiond_sql.schema import Column, Table
from retentiond_sql.swift import fingerprint
from retentiond_sql.values import Kind

DATES = {
    "closed": {"column": "closed_at", "kind": "timestamp"},
    "day": {"column": "day", "kind": "date"},
    "local": {"column": "local", "kind": "local-timestamp", "zone": "Europe/Berlin"},
}
_ODD = (
    "infinity",
    "-infinity",
    "0044-03-15 00:00:00+00 BC",
    "2020-02-30 00:00:00+00",
    "2020-01-01",
    "",
    "2020-W01-1 00:00:00+00",
)
_texts = st.one_of(
    st.none(),
    st.sampled_from(_ODD),
    st.datetimes().map(lambda one: f"{one:%Y-%m-%d %H:%M:%S.%f}+00"),
    st.datetimes().map(lambda one: f"{one:%Y-%m-%d %H:%M:%S}".rjust(19, "0") + "+00"),
    st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?(\.[0-9]{1,9})?(Z|[+-][0-9]{2})?", fullmatch=True),
    st.text(max_size=10),
)
_keys = st.integers() | st.integers(-5, 5) | st.booleans() | st.none() | st.text(max_size=3)


def made_up(dialect: str, form: Form) -> Layout:
    """A plain layout without a database."""
    options = dataset(dates=DATES)
    columns = {
        name: Column(name, sa.Integer() if name == "id" else sa.Text(), True, False, False, False)
        for name in ("id", "closed_at", "day", "local")
    }
    forms = dict.fromkeys(DATES, form)
    table = Table(None, "customers", columns)
    return Layout(TARGET, options, dialect, table, None, (Kind.INTEGER,), options.date_columns(), forms, (), (), ((), ()))


def outcome(read: Any, raw: Any) -> Any:
    """What reading one row gives; the class of the error where there is one."""
    try:
        return read(raw)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is to be the same
        return type(error)


@settings(max_examples=400)
@given(
    st.sampled_from(["postgresql", "mysql", "sqlite"]),
    st.sampled_from([Form.TYPED, Form.TEXT]),
    st.tuples(_keys, _texts, _texts, _texts, st.sampled_from([0, 1]), st.just(0), st.just(0)),
)
def test_a_plain_row_is_read_like_any_other(dialect: str, form: Form, raw: tuple[Any, ...]) -> None:
    layout = made_up(dialect, form)
    assert is_plain(layout)
    assert outcome(lambda row: reading(layout)([row])[0], raw) == outcome(lambda row: layout.read(row, moved=False).ref, raw)


@pytest.fixture
def world(database: sa.URL) -> Iterator[World]:
    yield from opened(database)


def fresh(world: World, rows: list[tuple[int, str | None]]) -> SqlDataset:
    """A table of rows whose dates all stand for one moment, and another table that may refer to them."""
    world.do("DROP TABLE IF EXISTS orders", "DROP TABLE IF EXISTS customers")
    world.do("CREATE TABLE customers (id INTEGER PRIMARY KEY, closed_at {instant}, day {day}, local {local})")
    world.do("CREATE TABLE orders (customer INTEGER REFERENCES customers)")
    for key, text in rows:
        world.do(
            "INSERT INTO customers VALUES (:id, CAST(:at AS timestamptz), CAST(:day AS date), CAST(:at AS timestamp))",
            id=key,
            at=text,
            day=None if text is None else text.partition(" ")[0],
        )
    return dataset(dates=DATES)


_stored = st.none() | st.sampled_from(
    [
        "infinity",
        "-infinity",
        "0044-03-15 10:00:00+00 BC",
        "20201-01-01 00:00:00+00",
        "2020-05-05 01:02:03.5+00",
        "2020-05-06 00:00:00+00",
    ]
)


def everything(world: World, options: SqlDataset) -> list[RecordRef]:
    """All records, dated or not."""
    with world.engine.connect() as connection:
        layout = read_layout(connection, options, TARGET)
        table = layout.table.clause("r")
        raw = connection.execute(layout.select(table, moved=False).order_by(table.c.id)).all()
        return [layout.read(row, moved=False).ref for row in raw]


@only_on("postgresql")
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_stored, min_size=1, max_size=6))
def test_the_database_reckons_the_same_fingerprint(world: World, texts: list[str | None]) -> None:
    options = fresh(world, list(enumerate(texts)))
    with world.engine.connect() as connection:
        layout = read_layout(connection, options, TARGET)
        table = layout.table.plain()
        told = connection.execute(sa.select(fingerprint(table, layout)).order_by(table.c.id)).scalars().all()
    assert list(told) == [ref.fingerprint for ref in everything(world, options)]


_fates = st.sampled_from(["stays", "stays", "changes", "goes", "is referred to"])


@only_on("postgresql")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), fates=st.lists(_fates, min_size=1, max_size=6))
def test_deleting_at_once_and_one_by_one_is_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, data: st.DataObject, fates: list[str]
) -> None:
    texts = [data.draw(_stored) for _ in fates]

    def deleted() -> tuple[list[Answer], list[Any]]:
        options = fresh(world, list(enumerate(texts)))
        refs = everything(world, options)
        for number, fate in enumerate(fates):
            if fate == "changes":
                world.do("UPDATE customers SET closed_at = '2001-01-01' WHERE id = :id", id=number)
            elif fate == "goes":
                world.do("DELETE FROM customers WHERE id = :id", id=number)
            elif fate == "is referred to":
                world.do("INSERT INTO orders VALUES (:id)", id=number)
        return world.delete(options, refs), world.all("SELECT id, closed_at::text FROM customers ORDER BY 1, 2")

    with monkeypatch.context() as patch:
        patch.setattr(acting, "compares", lambda _connection, _layout: False)
        one_by_one = deleted()
    assert deleted() == one_by_one


@only_on("postgresql")
def test_the_short_way_is_taken_where_it_can_be(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    plainly = swift.delete_unchanged

    def spied(connection: Any, layout: Any, refs: Any) -> Any:
        gone = plainly(connection, layout, refs)
        taken.append(len(gone))
        return gone

    monkeypatch.setattr(deleting, "delete_unchanged", spied)
    options = fresh(world, [(n, "2020-05-05 01:02:03.5+00") for n in range(3)])
    refs = everything(world, options)
    world.do("UPDATE customers SET closed_at = '2001-01-01' WHERE id = 1")
    assert [answer.said.value for answer in world.delete(options, refs)] == ["done", "changed", "done"]
    assert taken == [2]
