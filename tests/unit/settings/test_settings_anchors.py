"""What the settings may say of anchors, and what is told where they say something else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from retentiond.errors import ConfigurationError
from retentiond.settings import FileAnchor, MailAnchor, S3Anchor, load_settings
from retentiond.settings.anchors import Anchors
from retentiond.settings.environment import variables
from retentiond.settings.values import Settings

MAIL = {"type": "mail", "host": "mail.example.org", "sender": "log@example.org", "to": "a@auditor.example"}
BUCKET = {"type": "s3", "bucket": "checkpoints", "access_key": {"file": "id"}, "secret_key": {"file": "secret"}}
SMALLEST = """\
policies: policies
state: state
origin: example.org/main
systems: {shop: {connector: sql, datasets: {orders: {}}}}
"""


def anchors(*given: dict[str, Any]) -> Any:
    return TypeAdapter(Anchors).validate_python(given)


def said(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "settings.yaml").write_text(f"{SMALLEST}anchors:\n{text}")
    with pytest.raises(ConfigurationError) as told:
        load_settings(tmp_path / "settings.yaml")
    return [f"{problem.path}: {problem.what}" for problem in told.value.problems]


def test_without_a_word_there_is_no_anchor(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(SMALLEST)
    assert load_settings(tmp_path / "settings.yaml").anchors == ()


def test_relative_paths_begin_at_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(
        SMALLEST + "anchors:\n  - {type: file, path: foreign/file}\n"
        "  - {type: mail, host: h, sender: a@b.c, to: a@b.c, ca: root.pem, user: u, password: {file: password}}\n"
    )
    file, mail = load_settings(tmp_path / "settings.yaml").anchors
    assert isinstance(file, FileAnchor)
    assert file.path == tmp_path / "foreign" / "file"
    assert isinstance(mail, MailAnchor)
    assert mail.ca == tmp_path / "root.pem"
    assert mail.password is not None
    assert mail.password.file == tmp_path / "password"


def test_mail_is_protected_unless_somebody_says_otherwise() -> None:
    assert anchors(MAIL)[0].tls == "starttls"


def test_an_object_is_locked_for_ten_years_unless_somebody_says_otherwise() -> None:
    (bucket,) = anchors(BUCKET)
    assert isinstance(bucket, S3Anchor)
    assert bucket.keep == timedelta(days=3653)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (MAIL | {"user": "log"}, "belong together"),
        (MAIL | {"password": {"file": "p"}}, "belong together"),
        (MAIL | {"user": "log", "password": {"file": "p"}, "tls": "none"}, "never sent without TLS"),
        (MAIL | {"to": "Ada Muster <ada@example.org>"}, "without a name beside it"),
        (MAIL | {"sender": "a@b.c\nBcc: x@y.z"}, "without a name beside it"),
        (MAIL | {"host": "mail.example.org:587/x"}, "a host is named like"),
        (MAIL | {"port": 0}, "greater than or equal to 1"),
        (BUCKET | {"bucket": "Check_Points"}, "a bucket's name"),
        (BUCKET | {"prefix": "/a"}, "a prefix looks like"),
        (BUCKET | {"keep": "P10Y"}, "ISO 8601 days or hours"),
        ({"type": "file", "path": " "}, "a path is wanted"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        anchors(wrong)


@pytest.mark.parametrize(
    "url",
    [
        "http://witness.example/",
        "https://user:secret@witness.example/",
        "https://",
        "ftp://witness.example/",
        "https://witness.example:99999/",
        "https://witness.example/a b",
        "https://witness.example/\n",
        "http://localhost.example/",
        "witness.example",
        "http://[::1",
    ],
)
def test_a_url_that_is_open_to_others_or_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="a URL looks like"):
        anchors({"type": "witness", "url": url, "key": "k"})


@pytest.mark.parametrize(
    "url", ["https://witness.example/a?b=c", "http://localhost:80/", "http://127.0.0.9/", "http://[::1]:8080/"]
)
def test_a_url_speaks_tls_or_to_this_machine(url: str) -> None:
    assert anchors({"type": "witness", "url": url, "key": "k"})[0].url == url


def test_each_type_stands_once() -> None:
    with pytest.raises(ValidationError, match="each type of anchor can stand here once"):
        anchors({"type": "file", "path": "a"}, {"type": "file", "path": "b"})


def test_what_is_wrong_is_told_with_its_place_and_by_what_its_type_allows(tmp_path: Path) -> None:
    assert said(
        tmp_path, "  - {type: file, path: a, host: b}\n  - {type: postcard}\n  - {path: a}\n  - a\n  - {type: mail}\n"
    ) == [
        "anchors[0].host: there is no such key. Allowed are: type, path",
        "anchors[1]: must say its 'type', one of 'mail', 'file', 's3', 'rfc3161', 'witness'",
        "anchors[2]: must say its 'type'",
        "anchors[3]: must be a mapping; it can have: type, host, sender, to, port, tls, ca, user, password",
        "anchors[4].host: is missing; The mail server.",
        "anchors[4].sender: is missing; The address that the mails come from.",
        "anchors[4].to: is missing; The auditor's address.",
    ]


def test_a_secret_is_never_written_into_the_file(tmp_path: Path) -> None:
    (problem,) = said(tmp_path, "  - {type: mail, host: h, sender: a@b.c, to: a@b.c, user: u, password: secret}\n")
    assert problem.startswith("anchors[0].password: must be a mapping")


def test_no_environment_variable_stands_for_an_anchor() -> None:
    assert not [name for name in variables(Settings) if "ANCHOR" in name]
