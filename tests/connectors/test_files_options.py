"""Options that make no sense are refused with a sentence, before anything is opened."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from connectors.files_support import TARGET
from pydantic import ValidationError

from retentiond.connector import Action, Copy, Offer
from retentiond_files import connector
from retentiond_files.options import FilesConnection, FilesOptions

LINES = {"include": ["*.log"], "record": "line", "source": {"from": "content", "format": "nginx-combined"}}
FILES = {"include": ["*.log"], "record": "file", "source": {"from": "mtime"}}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({**FILES, "include": []}, "at least 1 item"),
        ({**FILES, "include": ["/var/log/x"]}, "relative to the root"),
        ({**FILES, "include": ["../x"]}, "relative to the root"),
        ({**FILES, "include": ["a//b"]}, "relative to the root"),
        ({**FILES, "exclude": [""]}, "relative to the root"),
        ({**FILES, "live": ["./x"]}, "relative to the root"),
        ({**FILES, "recursive": True}, "Extra inputs"),
        ({**FILES, "record": "page"}, "'file' or 'line'"),
        ({**FILES, "source": {"from": "ctime"}}, "'mtime', 'name', 'content'"),
        ({**FILES, "source": {"from": "mtime", "zone": "UTC"}}, "Extra inputs"),
        ({**FILES, "source": {"from": "name", "pattern": "x.log"}}, "must name a year"),
        ({**FILES, "source": {"from": "name", "pattern": "%Y-%d.log"}}, "must name a year"),
        ({**FILES, "source": {"from": "name", "pattern": "%Y%j"}}, "knows %Y %m %d"),
        ({**FILES, "source": {"from": "name", "pattern": "%Y%Y"}}, "knows %Y %m %d"),
        ({**FILES, "source": {"from": "name", "pattern": "%Y-%"}}, "knows %Y %m %d"),
        ({**FILES, "source": {"from": "name", "pattern": "%Y%m%d%H"}}, "needs a zone"),
        ({**FILES, "source": {"from": "name", "pattern": "%Y", "zone": "UTC"}}, "needs a zone"),
        ({**FILES, "source": {"from": "content", "format": "syslog"}}, "needs a zone, because lines of syslog"),
        ({**FILES, "source": {"from": "content", "format": "syslog", "zone": "Europe/Bärlin"}}, "no IANA time zone"),
        ({**FILES, "source": {"from": "content", "format": "syslog", "zone": "../../etc/passwd"}}, "no IANA time zone"),
        ({**LINES, "source": {"from": "content", "format": "nginx-combined", "zone": "UTC"}}, "takes no zone"),
        ({**LINES, "source": {"from": "mtime"}}, "records of lines need source"),
        ({**LINES, "block": {"moved_to": "/srv/blocked"}}, "only whole files can be blocked"),
        ({**FILES, "block": {"moved_to": "blocked"}}, "absolute path"),
        ({**FILES, "anonymize": {}}, "only lines can be anonymized"),
        ({**FILES, "when_empty": "delete"}, "when_empty is about lines"),
        ({**LINES, "anonymize": {"ipv4": 32}}, "less than or equal to 31"),
        ({**LINES, "quiet_minutes": -1}, "greater than or equal to 0"),
        ({**LINES, "date": "When Written"}, "must be a word"),
        ({**LINES, "copies": [{"name": "backup", "lives": 30}]}, "number of days such as P14D"),
        ({**LINES, "copies": [{"name": "backup", "lives": "P1M"}]}, "number of days such as P14D"),
        ({**LINES, "copies": [{"name": "backup"}]}, "Field required"),
    ],
)
def test_it_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("[", r"\[")):
        FilesOptions.model_validate(options)


@pytest.mark.parametrize("root", ["var/log", "/", "/var/../etc", "", "/a\0b"])
def test_a_root_that_is_no_absolute_directory_is_refused(root: str) -> None:
    with pytest.raises(ValidationError, match="absolute path of a directory"):
        FilesConnection.model_validate({"root": root})


@pytest.mark.parametrize(
    ("options", "date", "actions"),
    [
        (FILES, "written", {Action.DELETE}),
        ({**FILES, "block": {"moved_to": "/srv/blocked"}}, "written", {Action.DELETE, Action.BLOCK}),
        ({**FILES, "source": {"from": "name", "pattern": "%Y.log"}}, "named", {Action.DELETE}),
        ({**FILES, "source": {"from": "name", "pattern": "%Y.log"}, "date": "recorded_on"}, "recorded_on", {Action.DELETE}),
        ({**LINES, "anonymize": {}}, "entry", {Action.DELETE, Action.ANONYMIZE}),
    ],
)
def test_the_offer_follows_from_the_options(options: dict[str, Any], date: str, actions: set[Action]) -> None:
    offered = connector.offer(None, FilesOptions.model_validate(options))
    assert offered == Offer(frozenset({date}), frozenset(actions))


def test_declared_copies_are_told_with_their_lives() -> None:
    options = FilesOptions.model_validate(
        {**FILES, "copies": [{"name": "nightly", "lives": "P30D"}, {"name": "tape", "lives": "unknown"}]}
    )
    assert connector.copies(None, options) == (Copy("nightly", timedelta(days=30)), Copy("tape", None))


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("a.log", ("a.log",)),
        ("deep/a.log@2026-11-24T13Z", ("deep/a.log", "2026-11-24T13Z")),
        ("a@b.log@undated", ("a@b.log", "undated")),
        ("a.log@unreadable", ("a.log", "unreadable")),
        ("a.log@tomorrow", ("a.log@tomorrow",)),
    ],
)
def test_a_person_types_path_and_hour(typed: str, key: tuple[str, ...]) -> None:
    assert connector.key(typed) == key


def test_every_option_stands_in_the_readme() -> None:
    import retentiond_files  # noqa: PLC0415 - only for its place

    readme = (Path(retentiond_files.__file__).parent / "README.md").read_text(encoding="utf-8")
    names = [*FilesConnection.model_fields, *FilesOptions.model_fields]
    assert [name for name in names if f"`{name}`" not in readme] == []
    assert str(TARGET) in readme
