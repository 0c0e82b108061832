"""Where settings come from, and what is said when they are wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from retentiond.errors import ConfigurationError
from retentiond.settings import Settings, load_settings
from retentiond.settings.environment import variables

SMALLEST = """\
policies: policies
state: state
origin: example.org/retentiond/main
systems:
  shop:
    connector: sql
    datasets:
      orders: {}
"""


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("RETENTIOND_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "retentiond.yaml"
    path.write_text(SMALLEST)
    return path


def said(path: Path) -> list[str]:
    """What is wrong with the settings, without the head line and the folder."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path)
    return [str(problem).removeprefix(f"{path.parent}/") for problem in caught.value.problems]


def test_the_smallest_file_is_filled_up_with_cautious_defaults(file: Path) -> None:
    settings = load_settings(file)
    assert settings.database_url() is None
    assert (settings.schedule, settings.schedule_zone) == ("17 3 * * *", "UTC")
    assert (settings.guards.records, settings.guards.share, settings.guards.undatable) == (10_000, 0.25, 0.2)
    assert (settings.guards.clock_back, settings.guards.clock_ahead_days, settings.guards.target_clock) == (120, 45, 600)
    assert (settings.guards.spike, settings.guards.spike_floor, settings.guards.errors) == (10, 1000, 20)
    assert (settings.batch_size, settings.retry.attempts) == (1000, 5)
    assert (settings.log.format, settings.log.level) == ("text", "info")


def test_relative_paths_start_at_the_folder_of_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(SMALLEST + "database: postgresql+psycopg://u@h/d\ndatabase_password: {file: secret}\n")
    (file.parent / "secret").write_text("hunter2\n")
    monkeypatch.chdir(file.parent.parent)
    settings = load_settings(Path(file.parent.name, file.name))
    assert settings.policies == file.parent / "policies"
    assert settings.state == file.parent / "state"
    url = settings.database_url()
    assert url is not None
    assert url.render_as_string(hide_password=False) == "postgresql+psycopg://u:hunter2@h/d"


def test_absolute_paths_stay_as_they_are(file: Path) -> None:
    file.write_text(SMALLEST.replace("state: state", "state: /var/lib/retentiond"))
    assert load_settings(file).state == Path("/var/lib/retentiond")


def test_the_settings_know_the_file_they_come_from(file: Path) -> None:
    settings = load_settings(file)
    assert settings.path == file
    assert settings.document.where(("systems", "shop", "connector")) == f"{file}:6:16"


def test_the_environment_names_the_file_where_nobody_else_does(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETENTIOND_SETTINGS", str(file))
    assert load_settings().path == file


def test_the_environment_goes_before_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(SMALLEST + "log: {format: json, level: warning}\n")
    monkeypatch.setenv("RETENTIOND_STATE", "/elsewhere")
    monkeypatch.setenv("RETENTIOND_LOG__LEVEL", "debug")
    monkeypatch.setenv("RETENTIOND_GUARDS__SHARE", "5%")
    monkeypatch.setenv("RETENTIOND_BATCH_SIZE", "7")
    settings = load_settings(file)
    assert settings.state == Path("/elsewhere")
    assert (settings.log.format, settings.log.level) == ("json", "debug")
    assert (settings.guards.share, settings.guards.records, settings.batch_size) == (0.05, 10_000, 7)


def test_the_environment_may_give_what_the_file_leaves_out(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(SMALLEST.replace("state: state\n", ""))
    monkeypatch.setenv("RETENTIOND_STATE", "st")
    assert load_settings(file).state == file.parent / "st"


def test_a_wrong_variable_is_told_by_its_name(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETENTIOND_LOG__LEVEL", "loud")
    assert said(file) == ["environment variable RETENTIOND_LOG__LEVEL: should be 'debug', 'info', 'warning' or 'error'"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("RETENTIOND_LOG__LEVL", " Did you mean RETENTIOND_LOG__LEVEL?"),
        ("retentiond_state", " Did you mean RETENTIOND_STATE?"),
        ("RETENTIOND_SYSTEMS__SHOP__CONNECTOR", ""),
        ("RETENTIOND_GUARDS__SHARES", " Did you mean RETENTIOND_GUARDS__SHARE?"),
    ],
)
def test_a_variable_that_is_no_setting_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch, name: str, hint: str) -> None:
    monkeypatch.setenv(name, "{}")
    assert said(file) == [f"environment variable {name}: there is no such setting.{hint} Unset it, or name it rightly."]


def test_a_variable_from_which_the_file_takes_a_secret_is_none_of_the_settings(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(
        SMALLEST.replace("connector: sql", "connector: sql\n    connection: {password: {environment: RETENTIOND_SHOP_PASSWORD}}")
    )
    monkeypatch.setenv("RETENTIOND_SHOP_PASSWORD", "hunter2")
    load_settings(file)


def test_everything_that_is_wrong_is_told_at_once_with_its_place(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETENTIOND_NONSENSE", "1")
    file.write_text(
        """\
policies: ""
origin: https://example.org/x
schedule: 0 3 * *
schedule_zone: Europe/Darmstadt
batch_size: 0
guards: {share: 0.25, records: true, spikes: 3}
_env_file: /etc/passwd
systems:
  shop desk: {connector: sql, datasets: {a: {}}}
"""
    )
    problems = said(file)
    assert [problem.partition(": ")[0] + ": " + problem.split(": ")[1] for problem in problems] == [
        "retentiond.yaml:1:11: policies",
        "retentiond.yaml:1:1: state",
        "retentiond.yaml:2:9: origin",
        "retentiond.yaml:9:3: systems.shop desk",
        "retentiond.yaml:3:11: schedule",
        "retentiond.yaml:4:16: schedule_zone",
        "retentiond.yaml:5:13: batch_size",
        "retentiond.yaml:6:32: guards.records",
        "retentiond.yaml:6:17: guards.share",
        "retentiond.yaml:6:38: guards.spikes",
        "retentiond.yaml:7:1: _env_file",
        "environment variable RETENTIOND_NONSENSE: there is no such setting. Unset it, or name it rightly.",
    ]


@pytest.mark.parametrize("text", ["", "[]", "just text"])
def test_a_file_that_is_no_mapping_is_refused(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError):
        load_settings(file)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.yaml"):
        load_settings(tmp_path / "absent.yaml")


def test_no_value_of_a_wrong_setting_is_repeated(file: Path) -> None:
    file.write_text(SMALLEST + "database: postgresql+psycopg://u:hunter2@h/d\norigin2: hunter2\n")
    assert "hunter2" not in "\n".join(said(file))


def test_no_connection_or_secret_shows_in_the_representation(file: Path) -> None:
    file.write_text(
        SMALLEST.replace("connector: sql", "connector: sql\n    connection: {user: hunter2}")
        + "database: postgresql+psycopg://u@h/d\ndatabase_password: {environment: PW}\n"
    )
    assert "hunter2" not in repr(load_settings(file))


def test_every_plain_setting_has_a_variable_and_no_system_has_one() -> None:
    names = variables(Settings)
    assert "database_password.file" in names.values()
    assert names["RETENTIOND_LOG__LEVEL"] == "log.level"
    assert not any("SYSTEMS" in name for name in names)
