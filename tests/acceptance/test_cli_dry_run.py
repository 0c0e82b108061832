"""A dry run asks for no right to write, and gets along without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.program import NEW, OLD, Office, open_office
from support.services import Server

SETTINGS = """\
origin: test.example/retentiond/cli
policies: policies
state: state
systems:
  office:
    connector: sql
    connection: {{url: "{url}", copies: []}}
    datasets:
      letters: {{table: letters, key: [id], dates: {{written_on: {{column: written_on, kind: date}}}}}}
"""


@pytest.fixture
def letters(tmp_path: Path, postgresql: sa.URL, postgresql_server: Server) -> Iterator[Office]:
    """Letters in PostgreSQL, reached by a role that may SELECT them and nothing else."""
    office = open_office(tmp_path, [])
    looker = f"{postgresql.username}_looks"
    postgresql_server.execute(f"CREATE ROLE {looker} LOGIN")
    url = postgresql.set(drivername="postgresql", username=looker).render_as_string()
    office.settings.write_text(SETTINGS.format(url=url), encoding="utf-8")
    with sa.create_engine(postgresql, poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE letters (id text PRIMARY KEY, addressee text, written_on date)")
        for letter in (("due", OLD), ("young", NEW)):
            connection.exec_driver_sql("INSERT INTO letters VALUES (%s, 'Ada Muster', current_date - %s)", letter)
        connection.exec_driver_sql(f"GRANT SELECT ON letters TO {looker}")
    yield office
    with sa.create_engine(postgresql, poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql("DROP TABLE letters")
    postgresql_server.execute(f"DROP ROLE {looker}")


def test_a_role_that_may_only_select_is_enough_for_a_plan_which_says_that_it_may_not_act(
    letters: Office, postgresql: sa.URL
) -> None:
    told = letters.run("plan").stdout
    assert "may not act" in told
    assert "lacks rights. Grant it: UPDATE on public.letters; DELETE on public.letters." in " ".join(told.split())
    (step,) = letters.json("plan")["steps"]
    assert (step["status"], step["due"], step["population"]) == ("planned", 1, 2)
    letters.run("approve", "rule", "letter", "--by", "staff-7")
    assert "lacks rights" in " ".join(letters.run("run", status=4).stdout.split())
    letters.run("check", "--live", status=1)
    assert "delete: REFUSED for letter" in letters.run("systems", "--live", status=1).stdout
    with sa.create_engine(postgresql, poolclass=sa.NullPool).connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM letters").scalar_one() == 2
