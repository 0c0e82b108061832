"""Systems with a manifest, from the settings to the log: one that is in trouble is told in a sentence, and the others go on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.vendors import bunny, listmonk, openai

from retentiond.cli.main import main

SETTINGS = """
origin: test.example/retentiond/rest
policies: policies
state: state
systems:
  ai:
    connector: rest
    connection: {{manifest: openai, url: {ai}, secret: {{file: ai.key}}, values: {{canary: file-canary}}}}
    datasets:
      uploads: {{kind: files}}
  news:
    connector: rest
    connection: {{manifest: listmonk, url: {news}, user: api, secret: {{file: news.key}}, values: {{canary: "9"}}}}
    datasets:
      subscribers: {{kind: subscribers}}
  cdn:
    connector: rest
    connection: {{manifest: bunny, url: {cdn}, secret: {{file: cdn.key}}, values: {{pull-zone: "7"}}}}
    datasets:
      zone: {{kind: pull-zone}}
"""

POLICY = """
policy: vendors
title: {de: Anbieter, en: vendors}
purpose: Versand und Support
basis: ["Art. 6(1)(f) GDPR"]
notice: "Löschung nach einem Jahr"
zone: Europe/Berlin
valid_from: "2025-01-01"
systems:
  ai: {holder: somebody, role: processor, connector: rest}
  news: {holder: somebody, role: own, connector: rest}
  cdn: {holder: somebody, role: processor, connector: rest}
attestations:
  - id: cdn.log
    data_kind: {de: Protokoll, en: log}
    categories: [ip-address]
    system: cdn
    every: P1M
    expect: {retention: at most P3D, ip-anonymization: "on", permanent-storage: "off"}
rules:
"""

RULE = """\
  - id: {name}
    data_kind: {{de: Daten, en: data}}
    categories: [name]
    target: {{system: {system}, dataset: {dataset}}}
    starts: created
    requires: []
    keep_at_least: none
    delete_after: {{period: P1Y, counted: day-end}}
    action: delete
    limits: {{records: 1000000, share: 100%, undatable: 50%}}
    approval: rule
"""


@pytest.fixture
def ai() -> openai.OpenAI:
    fake = openai.OpenAI()
    for key, created in (("canary", 1), ("old", 2), ("old2", 3), ("young", 4)):
        fake.put_file(f"file-{key}", 1_500_000_000 + created)
    fake.files["file-young"]["created_at"] = 4_000_000_000
    return fake


@pytest.fixture
def news() -> listmonk.Listmonk:
    fake = listmonk.Listmonk()
    for key in (1, 2, 9):
        fake.put(key, "2020-01-01T00:00:00Z", f"erika{key}@canaria.example")
    return fake


@pytest.fixture
def cdn() -> bunny.Account:
    fake = bunny.Account()
    fake.put(7)
    return fake


@pytest.fixture
def folder(
    tmp_path: Path, ai: openai.OpenAI, news: listmonk.Listmonk, cdn: bunny.Account, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    with ai.served() as first, news.served() as second, cdn.served() as third:
        (tmp_path / "retentiond.yaml").write_text(SETTINGS.format(ai=first, news=second, cdn=third))
        (tmp_path / "policies").mkdir()
        rules = RULE.format(name="upload", system="ai", dataset="uploads")
        rules += RULE.format(name="subscriber", system="news", dataset="subscribers")
        (tmp_path / "policies" / "vendors.yaml").write_text(POLICY + rules)
        for name, key in (("ai", openai.KEY), ("news", listmonk.TOKEN), ("cdn", bunny.ACCOUNT)):
            (tmp_path / f"{name}.key").write_text(key)
        monkeypatch.setenv("RETENTIOND_SETTINGS", str(tmp_path / "retentiond.yaml"))
        assert main(["approve", "rule", "--all", "--by", "staff-1"]) == 0
        yield tmp_path


def test_what_is_due_goes_is_logged_and_settings_are_attested(
    folder: Path, ai: openai.OpenAI, news: listmonk.Listmonk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert folder.is_dir()
    assert main(["systems", "--live"]) in {0, 1}
    assert "logs against abuse" in capsys.readouterr().out
    assert main(["run"]) == 0, capsys.readouterr()
    assert set(ai.files) == {"file-canary", "file-young"}
    assert set(news.subscribers) == {9}
    assert main(["audit", "verify"]) == 0
    assert main(["run"]) == 0
    told = capsys.readouterr()
    assert "canaria" not in told.out + told.err


def test_a_setting_that_drifted_is_a_finding(folder: Path, cdn: bunny.Account, capsys: pytest.CaptureFixture[str]) -> None:
    assert folder.is_dir()
    cdn.zones["7"]["LoggingSaveToStorage"] = True
    assert main(["run"]) == 1
    told = capsys.readouterr()
    assert re.search(r"permanent-storage should be off, and cdn/\S+ tells on", " ".join(f"{told.out} {told.err}".split()))


def wrong_key(folder: Path, _: listmonk.Listmonk) -> None:
    (folder / "news.key").write_text("another")


def login_page(_: Path, fake: listmonk.Listmonk) -> None:
    fake.page = "<html>Erika Canaria, log in</html>"


def blind(_: Path, fake: listmonk.Listmonk) -> None:
    fake.lost = frozenset({"sight"})


def broken_manifest(folder: Path, _: listmonk.Listmonk) -> None:
    (folder / "mine.yaml").write_text("rest: 1\ntitle: x\nauth: {by: bearer}\nkind: {}\n")
    settings = folder / "retentiond.yaml"
    settings.write_text(settings.read_text().replace("manifest: listmonk", f"manifest: {folder}/mine.yaml"))


@pytest.mark.parametrize("trouble", [wrong_key, login_page, blind])
def test_a_system_in_trouble_stops_no_other(
    folder: Path,
    ai: openai.OpenAI,
    news: listmonk.Listmonk,
    trouble: Callable[[Path, listmonk.Listmonk], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    trouble(folder, news)
    before = dict(news.subscribers)
    assert main(["check", "--live"]) != 0
    assert main(["run"]) not in {0, 2}
    told = capsys.readouterr()
    assert "news/subscribers" in told.out + told.err
    assert "canaria" not in (told.out + told.err).lower()
    assert "Traceback" not in told.out + told.err
    assert set(ai.files) == {"file-canary", "file-young"}
    assert news.subscribers == before
    assert not any(news.acts(asked) for asked in news.seen)


def test_a_manifest_that_is_wrong_is_told_with_its_place_and_nothing_is_done(
    folder: Path, ai: openai.OpenAI, news: listmonk.Listmonk, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_manifest(folder, news)
    for command in (["check"], ["plan"], ["run"]):
        assert main(command) == 2
        told = capsys.readouterr()
        assert f"{folder}/mine.yaml:4:1: kind: there is no such key; did you mean 'kinds'?" in told.err
        assert told.out == ""
    assert len(ai.files) == 4
    assert len(news.subscribers) == 3
