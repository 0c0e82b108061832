"""Runs `retentiond` as a process of its own, as a user would, in a small place of its own."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

PROGRAM = (sys.executable, "-m", "retentiond.cli.main")

SETTINGS = """
origin: test.example/retentiond/cli
policies: policies
state: state
batch_size: {batch_size}
systems:
  office:
    connector: sql
    connection:
      url: sqlite:///{folder}/office.db
      copies: []
    datasets:
      letters:
        table: letters
        key: [id]
        dates:
          written_on: {{column: written_on, kind: date}}
"""

POLICY = """
policy: letters
title: {de: Briefe, en: letters}
purpose: Schriftverkehr
basis: ["Art. 6(1)(f) GDPR"]
notice: "Löschung ein Jahr nach dem Schreiben"
zone: Europe/Berlin
valid_from: "2025-01-01"
rules:
  - id: letter
    data_kind: {de: Brief, en: letter}
    categories: [name]
    target: {system: office, dataset: letters}
    starts: written_on
    keep_at_least: none
    delete_after: {period: P1Y, counted: day-end}
    action: delete
    limits: {records: 1000000, share: 100%, undatable: 50%}
    approval: rule
"""

OLD, NEW, UNDATED = 400, 10, None
"""How many days ago a letter was written that is due, that is not, and of which nobody knows."""


@dataclass(frozen=True, slots=True)
class Office:
    """A folder with settings, one policy and a database of letters."""

    folder: Path

    @property
    def settings(self) -> Path:
        return self.folder / "retentiond.yaml"

    @property
    def policy(self) -> Path:
        return self.folder / "policies" / "letters.yaml"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def environment(self, **more: str) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RETENTIOND_")}
        return inherited | {"RETENTIOND_SETTINGS": str(self.settings)} | more

    def run(self, *words: str, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the program in a pipe, and see that it ends with `status`."""
        done = subprocess.run(
            [*PROGRAM, *words], env=self.environment(**environment), capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == status, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words: str, status: int = 0) -> Any:
        done = self.run(*words, "--json", status=status)
        return json.loads(done.stdout)

    def letters(self) -> list[str]:
        with closing(sqlite3.connect(self.folder / "office.db")) as connection:
            return [key for (key,) in connection.execute("SELECT id FROM letters ORDER BY id")]


def open_office(folder: Path, letters: Iterable[tuple[str, int | None]], batch_size: int = 1000) -> Office:
    """Make an office in `folder`: each letter has a key and was written so many days ago."""
    office = Office(folder)
    office.policy.parent.mkdir(parents=True)
    office.policy.write_text(POLICY, encoding="utf-8")
    office.settings.write_text(SETTINGS.format(folder=folder, batch_size=batch_size), encoding="utf-8")
    today = date.today()  # noqa: DTZ011 - made a good way off the border
    with closing(sqlite3.connect(folder / "office.db")) as connection, connection:
        connection.execute("CREATE TABLE letters (id TEXT PRIMARY KEY, addressee TEXT, written_on DATE)")
        connection.executemany(
            "INSERT INTO letters VALUES (?, 'Ada Muster', ?)",
            [(key, None if days is None else str(today - timedelta(days=days))) for key, days in letters],
        )
    return office
