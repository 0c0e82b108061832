"""A row that two data sets claim is told, and left alone where it became so; what none claims, or two do, is counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from support.sql_world import ANONYMIZE, BLOCK, DELETE, World, before, customers, dataset, only_on, opened

from retentiond.connector import Action, Answered, ConnectorError, Target
from retentiond.connector.registry import mapping_digest
from retentiond_sql import connector
from retentiond_sql.options import SqlConnection, SqlDataset

pytestmark = pytest.mark.usefixtures("far_from_utc")

ALL = before("2030-01-01")
PAID, OPEN = dataset(only={"status": "paid"}), dataset(only={"status": "open"})
ARCHIVED = dataset(table="archive", only={"status": "paid"})
FLAGGED = dataset(only={"blocked": True})
PHONE = dataset(fields=["phone"])
CONTACT = dataset(fields=["phone", "mail"])
MAIL = dataset(fields=["mail"])


@pytest.fixture
def shop(database: sa.URL) -> Iterator[World]:
    """Four customers: paid, open, paid and flagged, and one of whom the status is NULL."""
    for world in opened(database):
        for table in ("customers", "archive"):
            world.do(
                f"CREATE TABLE {table} (id INTEGER NOT NULL PRIMARY KEY, name {{text}}, closed_at {{instant}}, "
                "status {text}, phone {text}, mail {text}, blocked {bool}, gone {bool})"
            )
        customers(world, 4)
        world.do(
            "UPDATE customers SET status = 'paid' WHERE id IN (1, 3)",
            "UPDATE customers SET status = 'open' WHERE id = 2",
            "UPDATE customers SET blocked = true WHERE id = 3",
            "UPDATE customers SET phone = '1' WHERE id IN (1, 2)",
            "UPDATE customers SET mail = 'm' WHERE id IN (2, 3)",
        )
        yield world


def beside(options: SqlDataset, *others: SqlDataset) -> SqlDataset:
    """The data set as it is known among the others of its system."""
    named = [(Target("shop", f"other-{number}"), other) for number, other in enumerate(others)]
    known = connector.beside(SqlConnection(url="sqlite:////x.db"), options, named)
    assert isinstance(known, SqlDataset)
    return known


def contested(world: World, options: SqlDataset, *others: SqlDataset) -> list[str]:
    """The keys of the found records that others claim, too; what is explained has to say the same."""
    known = beside(options, *others)
    refs = world.find(known, ALL)
    with world.reader(known) as reader:
        assert [reader.explain(ref.key) for ref in refs] == refs
    return [ref.key[0] for ref in refs if ref.contested]


def coverage(world: World, options: SqlDataset, *others: SqlDataset) -> dict[str, int]:
    """How many rows none claims, and how many two do; the same, in the same words, whichever of the data sets is asked."""
    every = [options, *others]
    told = set()
    for number, one in enumerate(every):
        with world.reader(beside(one, *every[:number], *every[number + 1 :])) as reader:
            findings = reader.coverage()
        assert not any(finding.refuses for finding in findings)
        told.add(tuple(finding.what for finding in findings))
    (words,) = told
    counts = {}
    for what in words:
        found = re.match(r"(\d+) (row|rows) of the table (\S+) (belongs|belong) to (no|more than one) data set", what)
        assert found is not None, what
        assert (found[2], found[4]) == (("row", "belongs") if found[1] == "1" else ("rows", "belong"))
        counts[f"{found[3].rpartition('.')[2]}: {found[5]}"] = int(found[1])
    return counts


@pytest.mark.parametrize(
    ("options", "others", "keys"),
    [
        (PAID, [], []),
        (PAID, [OPEN], []),
        (PAID, [FLAGGED], ["3"]),
        (FLAGGED, [PAID, OPEN], ["3"]),
        (dataset(), [PAID], ["1", "3"]),
        (dataset(), [dataset()], ["1", "2", "3", "4"]),
        (PAID, [dataset(only={"status": ["paid", "open"]})], ["1", "3"]),
        (dataset(only={"status": None}), [PAID, OPEN, FLAGGED], []),
        (dataset(only={"status": None}), [PAID, dataset(only={"blocked": None})], ["4"]),
        (PAID, [dataset(table="elsewhere", dates={"at": {"column": "at", "kind": "date"}})], []),
    ],
)
def test_only_rows_that_both_claim_are_contested(
    shop: World, options: SqlDataset, others: Sequence[SqlDataset], keys: list[str]
) -> None:
    """Whatever is NULL: a condition that is unknown claims nothing."""
    assert contested(shop, options, *others) == keys


@pytest.mark.parametrize(
    ("options", "others", "keys"),
    [
        (PHONE, [CONTACT], ["1", "2"]),
        (CONTACT, [PHONE], ["1", "2"]),
        (CONTACT, [MAIL], ["2", "3"]),
        (PHONE, [MAIL], []),
        (PHONE, [dataset()], []),
        (dataset(), [PHONE, CONTACT], []),
        (PHONE, [dataset(fields=["phone"], only={"status": "open"})], ["2"]),
    ],
)
def test_groups_of_fields_contest_a_shared_column_and_no_whole_row(
    shop: World, options: SqlDataset, others: Sequence[SqlDataset], keys: list[str]
) -> None:
    assert contested(shop, options, *others) == keys


@pytest.mark.parametrize("action", [DELETE, BLOCK, ANONYMIZE])
def test_a_row_that_became_contested_is_left_alone(shop: World, action: Action) -> None:
    options = dataset(
        block={"flag": {"blocked": True}},
        anonymize={"columns": {"name": None, "phone": None}, "marker": {"gone": True}, "kept": ["status"]},
    )
    known = beside(options, dataset(only={"mail": "claimed"}))
    act = {DELETE: shop.delete, BLOCK: shop.block, ANONYMIZE: shop.anonymize}[action]
    refs = shop.find(known, ALL, action)
    shop.do("UPDATE customers SET mail = 'claimed' WHERE id = 2")
    row = shop.all("SELECT * FROM customers WHERE id = 2")
    said = {ref.key[0]: answer.said for ref, answer in zip(refs, act(known, refs), strict=True)}
    assert said.pop("2") is Answered.CHANGED
    assert set(said.values()) == {Answered.DONE}
    assert shop.all("SELECT * FROM customers WHERE id = 2") == row


def test_fields_that_became_contested_are_left_alone(shop: World) -> None:
    phone = dataset(fields=["phone"], kept=["name", "status", "mail", "blocked", "gone"])
    known = beside(phone, MAIL, FLAGGED, dataset(fields=["phone"], only={"status": "taken"}))
    shop.do("UPDATE customers SET phone = '1'")
    refs = shop.find(known, ALL)
    assert not any(ref.contested for ref in refs)
    shop.do("UPDATE customers SET status = 'taken' WHERE id = 1")
    assert [answer.said for answer in shop.delete(known, refs)] == [Answered.CHANGED] + [Answered.DONE] * 3
    assert shop.column("SELECT id FROM customers WHERE phone IS NOT NULL") == [1]


def test_a_row_that_is_no_longer_contested_has_changed_too(shop: World) -> None:
    known = beside(PAID, FLAGGED)
    refs = shop.find(known, ALL)
    shop.do("UPDATE customers SET blocked = false WHERE id = 3")
    assert [answer.said for answer in shop.delete(known, refs)] == [Answered.DONE, Answered.CHANGED]


def test_blocked_records_are_contested_where_they_moved_to(shop: World) -> None:
    moving = dataset(block={"moved_to": "archive"})
    shop.block(moving, shop.find(moving, ALL))
    assert contested(shop, moving, ARCHIVED) == ["1", "3"]
    assert contested(shop, ARCHIVED, moving) == ["1", "3"]
    shop.do("UPDATE archive SET status = NULL WHERE id = 1")
    assert contested(shop, moving, ARCHIVED) == ["3"]


@pytest.mark.parametrize(("block", "rival"), [({"flag": {"blocked": True}}, FLAGGED), ({"moved_to": "archive"}, ARCHIVED)])
def test_a_record_that_blocking_would_make_contested_is_not_blocked(
    shop: World, block: dict[str, Any], rival: SqlDataset
) -> None:
    """Else no rule could ever let it go."""
    known = beside(dataset(only={"status": "paid"}, block=block), rival)
    refs = shop.find(known, ALL, BLOCK)
    rows = shop.all("SELECT * FROM customers ORDER BY id")
    assert {answer.code for answer in shop.block(known, refs)} == {"unsupported"}
    assert shop.all("SELECT * FROM customers ORDER BY id") == rows
    assert shop.all("SELECT * FROM archive") == []


@pytest.mark.parametrize(
    ("every", "counts"),
    [
        ([dataset()], {}),
        ([PAID], {"customers: no": 2}),
        ([PAID, OPEN], {"customers: no": 1}),
        ([PAID, OPEN, dataset(only={"status": None})], {}),
        ([PAID, FLAGGED], {"customers: no": 2, "customers: more than one": 1}),
        ([PAID, OPEN, FLAGGED, dataset()], {"customers: more than one": 3}),
        ([dataset(), dataset()], {"customers: more than one": 4}),
        ([dataset(), PHONE, MAIL], {}),
        ([dataset(), PHONE, CONTACT], {"customers: more than one": 2}),
        ([PAID, PHONE], {"customers: no": 2}),
        ([PHONE, MAIL], {}),
        ([dataset(fields=["phone"], only={"status": ["paid", "open"]}), MAIL], {}),
        ([dataset(fields=["phone"], only={"status": ["paid", "open"]})], {"customers: no": 1}),
    ],
)
def test_rows_of_nobody_and_of_two_are_counted(shop: World, every: Sequence[SqlDataset], counts: dict[str, int]) -> None:
    assert coverage(shop, *every) == counts


def test_an_empty_table_leaves_nothing_out(shop: World) -> None:
    shop.do("DELETE FROM customers")
    assert coverage(shop, PAID, FLAGGED) == {}


def test_rows_in_the_table_of_blocked_records_are_counted_too(shop: World) -> None:
    shop.do("INSERT INTO archive (id, status) VALUES (7, 'paid'), (8, NULL), (9, 'open')")
    moving = dataset(only={"status": ["paid", "open"]}, block={"moved_to": "archive"})
    with shop.reader(beside(moving, dataset(only={"status": None}))) as reader:
        (what,) = [finding.what for finding in reader.coverage()]
    assert re.match(r"1 row of the table (\S+\.)?archive belongs to no data set", what)
    flagged = dataset(table="archive", only={"status": "paid"})
    with shop.reader(beside(moving, dataset(only={"status": None}), flagged)) as reader:
        words = [finding.what.partition(" data set")[0].replace("public.", "") for finding in reader.coverage()]
    assert [re.sub(r"\S+\.", "", one) for one in words] == [
        "1 row of the table archive belongs to no",
        "1 row of the table archive belongs to more than one",
    ]


def test_a_count_names_nobody(shop: World) -> None:
    with shop.reader(beside(dataset(only={"name": "Name 1"}), dataset(only={"id": 1}))) as reader:
        assert not any("Name" in finding.what for finding in reader.coverage())


def test_a_table_is_the_same_however_it_is_named(shop: World) -> None:
    schema = {"sqlite": "main", "postgresql": "public", "mysql": shop.url.database}[shop.kind]
    assert contested(shop, PAID, dataset(table=f"{schema}.customers")) == ["1", "3"]
    # Only where capitals surely count is it another table; elsewhere a false alarm does no harm.
    assert contested(shop, PAID, dataset(table="CUSTOMERS")) == ([] if shop.kind == "postgresql" else ["1", "3"])


@only_on("postgresql")
def test_a_table_of_the_same_name_in_another_schema_is_another(shop: World) -> None:
    shop.do("CREATE SCHEMA other", "CREATE TABLE other.customers (id INTEGER PRIMARY KEY, at {day})")
    other = dataset(table="other.customers", dates={"at": {"column": "at", "kind": "date"}})
    assert contested(shop, PAID, other) == []


@pytest.mark.parametrize(
    ("rival", "what"),
    [
        (dataset(only={"absent": 1}), "column absent that is not there"),
        (dataset(only={"status": 0}), "compared with a value of another type"),
    ],
)
def test_a_rival_whose_conditions_cannot_be_asked_stops_the_search(shop: World, rival: SqlDataset, what: str) -> None:
    """Else its records would seem to be ours alone."""
    with pytest.raises(ConnectorError, match=what):
        shop.find(beside(PAID, rival), ALL)


def digest(options: SqlDataset, *others: SqlDataset) -> str:
    return mapping_digest(connector, SqlConnection(url="sqlite:////x.db"), beside(options, *others))


CONDITIONS = st.dictionaries(st.sampled_from(["status", "name"]), st.none() | st.sampled_from(["paid", "open", 1, True]))
TAKEN = st.lists(st.sampled_from(["phone", "mail"]), unique=True)


@st.composite
def datasets(draw: st.DrawFn) -> SqlDataset:
    more: dict[str, Any] = {"table": draw(st.sampled_from(["customers", "elsewhere"]))}
    return dataset(only=draw(CONDITIONS), fields=draw(TAKEN), **more)


def rivals(options: SqlDataset, others: Sequence[SqlDataset]) -> list[str]:
    """What has to matter for the digest, told in another way: the conditions of those who share the table, and a field of it."""
    alike = [other for other in others if other.table == options.table]
    sharing = [other for other in alike if set(other.fields) & set(options.fields) or (not other.fields and not options.fields)]
    return sorted(repr((sorted(other.only.items(), key=repr), other.fields)) for other in sharing)


@given(options=datasets(), some=st.lists(datasets(), max_size=3), others=st.lists(datasets(), max_size=3))
def test_the_digest_of_a_data_set_changes_exactly_where_rivals_change(
    options: SqlDataset, some: list[SqlDataset], others: list[SqlDataset]
) -> None:
    """Where a rival's conditions change other records may go, so what was approved is approved no more."""
    same = rivals(options, some) == rivals(options, others)
    assert (digest(options, *some) == digest(options, *others)) is same
    assert digest(options, *reversed(some)) == digest(options, *some)


@given(options=datasets(), other=datasets())
def test_the_digest_ignores_what_a_rival_does_with_its_records(options: SqlDataset, other: SqlDataset) -> None:
    acting = other.model_copy(update={"unchanged": ("status",), "subjects": {"email": "mail"}, "kept": ("name",)})
    assert digest(options, acting) == digest(options, other)
    assert digest(options) == mapping_digest(connector, SqlConnection(url="sqlite:////x.db"), options)


@given(options=datasets(), others=st.lists(datasets(), max_size=3))
def test_knowing_of_others_leaves_the_data_set_as_it_was_written(options: SqlDataset, others: list[SqlDataset]) -> None:
    told = options.model_dump()
    known = beside(options, *others)
    assert options.others() == ()
    assert options.model_dump() == told
    assert {name: known.model_dump()[name] for name in told} == told
    assert connector.offer(SqlConnection(url="sqlite:////x.db"), known) == connector.offer(
        SqlConnection(url="sqlite:////x.db"), options
    )
