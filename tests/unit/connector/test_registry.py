"""Which connectors there are, and how data sets are bound to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, EntryPoint, PathDistribution
from pathlib import Path
from typing import Any, NoReturn

import pytest
from pydantic import Field

from retentiond.connector import (
    Action,
    ConnectionOptions,
    Connector,
    Copy,
    Cutoff,
    Deleter,
    Finding,
    Offer,
    Presence,
    Reader,
    RecordRef,
    Secret,
    Target,
    TargetOptions,
)
from retentiond.connector.registry import BoundTarget, bind, connectors
from retentiond.document import read
from retentiond.errors import ConfigurationError
from retentiond.settings import SystemSettings


class Shelf(ConnectionOptions):
    host: str = "localhost"
    password: Secret | None = None


class Box(TargetOptions):
    dated: str
    labels: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()
    extra: dict[str, int] = Field(default_factory=dict)


class Looker(Reader):
    def preflight(self, action: Action) -> list[Finding]:
        raise NotImplementedError

    def count(self) -> int:
        return 0

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        raise NotImplementedError

    def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
        raise NotImplementedError

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        raise NotImplementedError

    def explain(self, key: tuple[str, ...]) -> RecordRef | None:
        raise NotImplementedError


class Emptier(Deleter):
    def _delete(self, refs: Sequence[RecordRef]) -> NoReturn:
        raise NotImplementedError


def _connector(name: str = "shelf", **more: Any) -> Connector:
    given: dict[str, Any] = {
        "name": name,
        "title": "A shelf",
        "connection": Shelf,
        "options": Box,
        "offer": lambda _connection, options: Offer(frozenset({options.dated}), frozenset({Action.DELETE})),
        "reader": lambda _connection, _options, _target: Looker(),
        "deleter": lambda _connection, _options, target: Emptier(target),
        "copies": lambda _connection, _options: [Copy("trash", None)],
    }
    return Connector(**{**given, **more})


connector = _connector()
not_a_connector = None


def _system(connection: dict[str, Any] | None = None, **options: Any) -> dict[str, SystemSettings]:
    given = {"connector": "shelf", "connection": connection or {}, "datasets": {"box": {"dated": "made", **options}}}
    return {"cellar": SystemSettings.model_validate(given)}


def _bound(systems: dict[str, SystemSettings], using: Connector = connector) -> BoundTarget:
    return bind(systems, {"shelf": using})[Target("cellar", "box")]


def _point(name: str, value: str, owner: str, folder: Path) -> EntryPoint:
    (folder / owner).mkdir(exist_ok=True)
    (folder / owner / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {owner}\nVersion: 1\n")
    dist: Distribution = PathDistribution(folder / owner)
    point = EntryPoint(name, value, "retentiond.connectors")
    vars(point)["dist"] = dist  # as metadata itself attaches it
    return point


# --- which there are


def test_connectors_come_in_the_order_of_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shelves.py").write_text(
        "from retentiond.connector import *\n"
        "def made(name):\n"
        "    return Connector(name, name, ConnectionOptions, TargetOptions, lambda c, o: None, lambda c, o, t: None)\n"
        "a, b, c = map(made, 'abc')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [_point(name, f"shelves:{name}", owner, tmp_path) for name, owner in (("c", "x"), ("a", "z"), ("b", "y"))]
    assert list(connectors(points)) == ["a", "b", "c"]


def test_two_with_one_name_are_an_error_naming_both_owners(tmp_path: Path) -> None:
    points = [_point("shelf", "a:b", "first-dist", tmp_path), _point("shelf", "c:d", "second-dist", tmp_path)]
    with pytest.raises(ConfigurationError, match="Two connectors are named shelf: one of first-dist, one of second-dist"):
        connectors(points)


def test_one_listed_twice_by_its_owner_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "single.py").write_text(
        "from retentiond.connector import *\n"
        "shelf = Connector('shelf', '', ConnectionOptions, TargetOptions, lambda c, o: None, lambda c, o, t: None)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list(connectors([_point("shelf", "single:shelf", "x", tmp_path)] * 2)) == ["shelf"]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import no_such_driver", "ModuleNotFoundError"),
        ("1 +", "SyntaxError"),
        ("raise RuntimeError('canary')", "RuntimeError"),
        ("", "AttributeError"),
        ("{}['canary']", "KeyError"),
    ],
)
def test_one_that_cannot_be_imported_is_an_error_naming_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, error: str
) -> None:
    module = f"broken_{error.lower()}"
    (tmp_path / f"{module}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationError, match=rf"The connector shelf of a-dist cannot be imported \({error}\)") as caught:
        connectors([_point("shelf", f"{module}:connector", "a-dist", tmp_path)])
    assert "canary" not in str(caught.value)


def test_an_entry_point_that_is_no_connector_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nothing.py").write_text("connector = None\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationError, match="The entry point shelf of a-dist is no connector"):
        connectors([_point("shelf", "nothing:connector", "a-dist", tmp_path)])


def test_a_connector_under_another_name_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "renamed.py").write_text(
        "from retentiond.connector import *\n"
        "connector = Connector('box', '', ConnectionOptions, TargetOptions, lambda c, o: None, lambda c, o, t: None)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationError, match="registers as shelf calls itself box"):
        connectors([_point("shelf", "renamed:connector", "a-dist", tmp_path)])


# --- how data sets are bound


def test_a_bound_data_set_opens_the_roles_of_its_connector() -> None:
    bound = _bound(_system())
    assert bound.offer().dates == {"made"}
    assert bound.copies() == (Copy("trash", None),)
    with bound.reader() as reader, bound.deleter() as deleter:
        assert reader.count() == 0
        assert deleter.target == Target("cellar", "box")


@pytest.mark.parametrize("role", ["blocker", "anonymizer"])
def test_a_role_nobody_fills_is_an_error(role: str) -> None:
    with pytest.raises(ConfigurationError, match="The connector shelf of cellar/box cannot"):
        getattr(_bound(_system()), role)()


@pytest.mark.parametrize("role", ["reader", "deleter", "offer", "copies"])
def test_a_missing_driver_is_an_error_naming_the_extra(role: str) -> None:
    def driverless(*_: object) -> NoReturn:
        raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")

    bound = _bound(_system(), _connector("shelf", **{role: driverless, "extra": "shelf"}))
    with pytest.raises(ConfigurationError, match=r"lacks the module psycopg, its driver.*pip install 'retentiond\[shelf\]'"):
        getattr(bound, role)()


def test_an_unknown_connector_lists_those_there_are_and_the_closest() -> None:
    systems = {"cellar": SystemSettings(connector="shelve", datasets={"box": {}})}
    with pytest.raises(ConfigurationError) as caught:
        bind(systems, {"shelf": connector, "sql": connector})
    (problem,) = caught.value.problems
    assert problem.path == "systems.cellar.connector"
    assert problem.what == "there is no connector 'shelve'; installed are: shelf, sql. Did you mean shelf?"


def test_all_wrong_options_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    file = tmp_path / "retentiond.yaml"
    file.write_text(
        """\
systems:
  cellar:
    connector: shelf
    connection: {hots: 1}
    datasets:
      box: {dated: made}
      bag: {dated: 5}
  attic:
    connector: shelves
    datasets:
      box: {labels: [a, 1]}
"""
    )
    document = read(file)
    systems = {name: SystemSettings.model_validate(given) for name, given in document.data["systems"].items()}
    with pytest.raises(ConfigurationError) as caught:
        bind(systems, {"shelf": connector}, document)
    assert [(one.where.removeprefix(f"{file}:"), one.path) for one in caught.value.problems] == [
        ("4:18", "systems.cellar.connection.hots"),
        ("7:20", "systems.cellar.datasets.bag.dated"),
        ("9:16", "systems.attic.connector"),
    ]


def test_a_connection_may_be_left_out_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "retentiond.yaml"
    file.write_text("systems: {cellar: {connector: shelf, datasets: {box: {dated: made}}}}\n")
    document = read(file)
    systems = {"cellar": SystemSettings.model_validate(document.data["systems"]["cellar"])}
    assert bind(systems, {"shelf": connector}, document)[Target("cellar", "box")].connection == Shelf()


def test_a_relative_file_of_a_secret_starts_at_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "retentiond.yaml"
    file.write_text("systems: {cellar: {connector: shelf, connection: {password: {file: pw}}, datasets: {box: {dated: made}}}}\n")
    (tmp_path / "pw").write_text("hunter2")
    document = read(file)
    systems = {"cellar": SystemSettings.model_validate(document.data["systems"]["cellar"])}
    connection = bind(systems, {"shelf": connector}, document)[Target("cellar", "box")].connection
    assert isinstance(connection, Shelf)
    assert connection.password is not None
    assert connection.password.reveal() == "hunter2"


# --- what an approval of a rule binds


def test_the_digest_is_the_same_for_the_same_options_in_any_order() -> None:
    one = _bound(_system({"host": "h"}, kinds=["b", "a"], extra={"x": 1, "y": 2})).mapping_digest
    other = _bound(_system({"host": "h"}, extra={"y": 2, "x": 1}, kinds=["a", "b"])).mapping_digest
    assert one == other
    assert len(one) == 64


def test_defaults_written_out_do_not_change_the_digest() -> None:
    assert _bound(_system()).mapping_digest == _bound(_system({"host": "localhost"}, labels=[])).mapping_digest


@pytest.mark.parametrize(
    "other",
    [_system({"host": "elsewhere"}), _system(dated="sold"), _system(labels=["a"]), _system(kinds=["a"]), _system(extra={"a": 1})],
)
def test_another_way_of_reading_changes_the_digest(other: dict[str, SystemSettings]) -> None:
    assert _bound(_system()).mapping_digest != _bound(other).mapping_digest


def test_the_order_of_a_list_changes_the_digest() -> None:
    assert _bound(_system(labels=["a", "b"])).mapping_digest != _bound(_system(labels=["b", "a"])).mapping_digest


def test_moving_a_secret_does_not_change_the_digest() -> None:
    in_file, in_variable = _system({"password": {"file": "/a"}}), _system({"password": {"environment": "B"}})
    assert _bound(in_file).mapping_digest == _bound(in_variable).mapping_digest


def test_another_connector_changes_the_digest() -> None:
    assert _bound(_system()).mapping_digest != _bound(_system(), _connector("other")).mapping_digest


def test_no_options_show_in_the_representation() -> None:
    assert "hunter2" not in repr(_bound(_system({"host": "hunter2"}, labels=["hunter2"])))
