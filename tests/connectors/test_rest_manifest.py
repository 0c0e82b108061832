"""A manifest that is not sound is refused before anything is asked, with file, line and column."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from connectors.rest_support import dataset

from retentiond.connector import ConfigurationError, Target
from retentiond.connector.registry import mapping_digest
from retentiond_rest import connector
from retentiond_rest.loading import load, shipped
from retentiond_rest.parts import Shape

SOUND = """\
rest: 1
title: Things
auth: {by: bearer}
sight: {path: /me, holds: {at: /ok, there: true}}
never:
  - {method: DELETE, path: "/things", why: it takes all}
kinds:
  things:
    list: {path: /things, items: /data, pages: {by: none}}
    key: [/id]
    dates:
      created: {at: /at, forms: [iso], zone: Europe/Berlin, "null": undated}
    look: {get: {path: "/things/{id}"}}
    delete: {method: DELETE, path: "/things/{id}", accept: [204]}
    copies: []
"""


def refused(folder: Path, old: str, new: str) -> str:
    assert SOUND.count(old) == 1
    path = folder / "things.yaml"
    path.write_text(SOUND.replace(old, new))
    with pytest.raises(ConfigurationError) as raised:
        load(str(path))
    told = str(raised.value).replace(str(folder), "")
    assert re.search(r"/things\.yaml:\d+:\d+: ", told), told
    return told


def test_a_sound_manifest_is_taken(tmp_path: Path) -> None:
    (tmp_path / "things.yaml").write_text(SOUND)
    assert load(str(tmp_path / "things.yaml")).manifest.title == "Things"


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("title: Things", "title: Things\ntitel: Things", 3, "did you mean 'title'?"),
        ("rest: 1", "rest: 2", 1, "1"),
        (', "null": undated', "", 12, "kinds.things.dates.created.null: is missing"),
        ("forms: [iso]", "forms: [whenever]", 12, "must be unix, unix-ms, iso, day, or a pattern"),
        ("forms: [iso]", "forms: [iso, day]", 12, "either a day or an instant"),
        ("Europe/Berlin", "Berlin", 12, "no IANA time zone"),
        ("forms: [iso], zone: Europe/Berlin", "forms: ['%Y-%m-%d']", 12, "needs a `zone`"),
        ("{at: /at,", "{at: at,", 12, "must be a place"),
        (
            '    dates:\n      created: {at: /at, forms: [iso], zone: Europe/Berlin, "null": undated}\n',
            "",
            8,
            "records need `dates`",
        ),
        ("    key: [/id]\n", "", 8, "records need `key`"),
        ('    look: {get: {path: "/things/{id}"}}\n', "", 8, "records need `look`"),
        ("    copies: []\n", "", 8, "a delete needs `copies`"),
        ('path: "/things/{id}", accept', 'path: "/things/all", accept', 8, "does not tell which record"),
        ('path: "/things/{id}", accept', 'path: "/things/{identifier}", accept', 8, "does not tell which record"),
        ('{path: "/things/{id}"}', '{path: "/things/{identifier}"}', 8, "there is no {identifier} for GET /things/{identifier}"),
        ("path: /things, items", "path: '/things/{id}', items", 8, "there is no {id}"),
        ("path: /things, items", "method: POST, path: /things, items", 9, "must change nothing"),
        ('method: DELETE, path: "/things/{id}"', 'method: GET, path: "/things/{id}"', 14, "method of a question"),
        (", accept: [204]", "", 14, "accept: is missing"),
        ('path: "/things", why', 'path: "/things/*", why', 8, "one of the requests that are never sent"),
        ("pages: {by: none}", "pages: {by: cursor, query: after}", 9, "needs `next`"),
        ('look: {get: {path: "/things/{id}"}}', "look: {}", 13, "exactly one of get and list"),
        ("    list: {path: /things, items: /data, pages: {by: none}}\n", "", 8, "exactly one of list and ids"),
        ("    key: [/id]\n", "    key: [/id]\n    parent: boxes\n", 11, "no kind of this manifest"),
        ("    key: [/id]\n", "    key: [/id]\n    parent: things\n", 11, "is a part of itself"),
        ("auth: {by: bearer}", "auth: {by: magic}", 3, "must say its 'by', one of 'bearer'"),
        ("holds: {at: /ok, there: true}", "holds: {at: /ok}", 4, "exactly one of there, equals and differs"),
        ("copies: []", "copies: [{name: trash, lives: soon}]", 15, "or unknown where nobody knows"),
    ],
)
def test_what_is_missing_or_wrong_is_told_with_its_place(tmp_path: Path, old: str, new: str, line: int, told: str) -> None:
    message = refused(tmp_path, old, new)
    assert told in message
    assert f"/things.yaml:{line}:" in message, message


def test_a_manifest_of_ones_own_is_named_by_an_absolute_path(tmp_path: Path) -> None:
    for wrong, what in (("nothing-like-it", "shipped are: "), ("some/where.yaml", "absolute path"), (7, "must be the name")):
        with pytest.raises(ValueError, match=what):
            load(wrong)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(str(tmp_path / "missing.yaml"))


def test_another_manifest_asks_for_another_approval_and_a_comment_does_not(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        (tmp_path / "things.yaml").write_text(text)
        data = dataset(tmp_path, "http://127.0.0.1:1", str(tmp_path / "things.yaml"), "x", "things")
        return mapping_digest(connector, data.connection, data.options)

    assert digest(SOUND) == digest(f"# known well\n{SOUND}")
    assert digest(SOUND) != digest(SOUND.replace("/at,", "/changed,"))


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"kind": "folders"}, "has no kind 'folders'"),
        ({"kind": "files", "values": {}}, "needs for files under `values`: canary"),
        ({"kind": "files", "of_kind": {"canary": "x", "project": "y"}}, "no value 'project'"),
        ({"kind": "responses"}, "cannot list responses"),
        ({"kind": "files", "ids": {"file": "/x.csv", "id": "x"}}, "lists files itself"),
        ({"kind": "files", "url": "https://openai.example"}, "only for: api.openai.com"),
    ],
)
def test_settings_that_do_not_fit_the_manifest_are_refused(tmp_path: Path, told: dict[str, Any], what: str) -> None:
    more = {"url": "https://api.openai.com", "values": {"canary": "file-canary"}, **told}
    with pytest.raises((ConfigurationError, ValueError), match=what):
        dataset(tmp_path, manifest="openai", secret="x", **more)  # noqa: S106 - of no system


def test_two_data_sets_of_the_very_same_records_are_refused(tmp_path: Path) -> None:
    """Two rules would act on the same record, each without the other's holds."""
    data = dataset(tmp_path, "https://api.openai.com", "openai", "x", "files", values={"canary": "file-canary"})
    other = Target("vendor", "others")
    with pytest.raises(ConfigurationError, match="Two data sets hold the same files, one of them vendor/others"):
        connector.beside(data.connection, data.options, [(other, data.options)])
    another = data.options.model_copy(update={"kind": "vector-stores"})
    assert connector.beside(data.connection, data.options, [(other, another)]) == data.options


def test_a_zone_that_there_is_not_and_a_user_that_is_missing_are_refused(tmp_path: Path) -> None:
    values = {"survey": "1", "zone": "Berlin"}
    with pytest.raises(ConfigurationError, match="zone is no IANA time zone"):
        dataset(tmp_path, "https://survey.example", "limesurvey", "x", "responses", user="me", values=values)
    for manifest in ("limesurvey", "listmonk"):
        with pytest.raises(ValueError, match="needs a `user`"):
            dataset(tmp_path, "https://survey.example", manifest, "x", "responses", values=values)


@pytest.mark.parametrize("name", shipped())
def test_each_shipped_manifest_is_sound(name: str) -> None:
    manifest = load(name).manifest
    assert manifest.title
    for kind in manifest.kinds.values():
        for action, act in kind.acts():
            assert act.accept, action


@pytest.mark.parametrize(
    ("shape", "fitting", "others"),
    [
        ({"there": True}, ["x", 0, False, [], {}], [None, ""]),
        ({"there": False}, [None, ""], ["x", 0, False]),
        ({"equals": [True]}, [True], [1, "true", "True", None, [True]]),
        ({"equals": [0, "no"]}, [0, "no"], [False, None, "", "0"]),
        ({"differs": ["OK"]}, ["No permission", 0, False, ["OK"]], ["OK", None, ""]),
    ],
)
def test_a_shape_is_told_by_value_and_type(shape: dict[str, Any], fitting: list[Any], others: list[Any]) -> None:
    told = Shape.model_validate({"at": "/state", **shape})
    assert [value for value in [*fitting, *others] if told.fits({"state": value})] == fitting
    assert told.fits({}) is (shape == {"there": False})
