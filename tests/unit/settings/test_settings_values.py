"""What single settings may say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from retentiond.settings import Settings
from retentiond.settings.values import Guards


def settings(**more: Any) -> Settings:
    given = {
        "policies": "p",
        "state": "s",
        "origin": "example.org/log",
        "systems": {"shop": {"connector": "sql", "datasets": {"orders": {}}}},
    }
    return Settings(**{**given, **more})


@pytest.mark.parametrize(("text", "fraction"), [("25%", 0.25), ("0.5 %", 0.005), ("100%", 1.0)])
def test_a_share_is_written_in_per_cent(text: str, fraction: float) -> None:
    assert Guards.model_validate({"share": text}).share == pytest.approx(fraction)


@pytest.mark.parametrize("wrong", ["0%", "101%", "25", 25, "", "a%", "-5%", "1e1%", None, "٢٥%"])
def test_a_share_that_could_be_misread_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError, match="per cent"):
        Guards.model_validate({"share": wrong})


@pytest.mark.parametrize(
    ("text", "span"), [("P7D", timedelta(days=7)), ("PT12H", timedelta(hours=12)), ("P1DT1H", timedelta(hours=25))]
)
def test_a_span_is_written_in_days_and_hours(text: str, span: timedelta) -> None:
    assert Guards.model_validate({"cool_off": text}).cool_off == span


@pytest.mark.parametrize("wrong", ["P0D", "PT0H", "P", "P1M", "PT30M", "7", 7, "-P7D", "P7", "", "P٧D"])
def test_a_span_that_could_be_misread_or_is_none_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError, match="for example P7D"):
        Guards.model_validate({"cool_off": wrong})


@pytest.mark.parametrize("name", [name for name in Guards.model_fields if name not in {"share", "undatable"}])
@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "many", None])
def test_no_guard_can_be_switched_off_by_a_number(name: str, wrong: object) -> None:
    with pytest.raises(ValidationError):
        Guards.model_validate({name: wrong})


@pytest.mark.parametrize("origin", ["example.org/retentiond/main", "example.org", "a-b.example/x_y/z~1"])
def test_an_origin_is_a_host_and_a_path(origin: str) -> None:
    assert settings(origin=origin).origin == origin


@pytest.mark.parametrize(
    "origin", ["", "https://example.org/x", "example.org/a b", "example.org/a+b", "example.org/", "/x", "a\nb"]
)
def test_an_origin_that_would_break_a_checkpoint_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="no scheme"):
        settings(origin=origin)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "state.db",
        "sqlite:///state.db",
        "postgresql://u@h/d",
        "postgresql+asyncpg://u@h/d",
        "postgresql+psycopg://u@h",
        "mysql+pymysql://u@h/d",
        "postgresql+psycopg://u@h:port/d",
    ],
)
def test_another_database_than_postgresql_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match=r"postgresql\+psycopg://USER@HOST/DATABASE"):
        settings(database=url)


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://u:hunter2@h/d", "postgresql+psycopg://u@h/d?password=hunter2", "postgresql+psycopg://u:@h/d"]
)
def test_a_password_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValidationError, match="database_password") as caught:
        settings(database=url)
    assert "hunter2" not in str(caught.value)


def test_the_password_is_filled_in_from_its_place(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("p@ss/word\n")
    url = settings(database="postgresql+psycopg://u@h/d", database_password={"file": tmp_path / "pw"}).database_url()
    assert url is not None
    assert url.render_as_string(hide_password=False) == "postgresql+psycopg://u:p%40ss%2Fword@h/d"
    assert "p@ss" not in str(url)


def test_a_database_reached_through_a_socket_is_allowed() -> None:
    assert settings(database="postgresql+psycopg:///d?host=/run/postgresql").database_url() is not None


@pytest.mark.parametrize("name", ["", "a/b", "a b", ".a", "a" * 65, "ä"])
def test_a_name_of_a_system_or_data_set_is_short_and_plain(name: str) -> None:
    with pytest.raises(ValidationError):
        settings(systems={name: {"connector": "sql", "datasets": {"orders": {}}}})
    with pytest.raises(ValidationError):
        settings(systems={"shop": {"connector": "sql", "datasets": {name: {}}}})


@pytest.mark.parametrize("systems", [{}, {"shop": {"connector": "sql"}}, {"shop": {"connector": "sql", "datasets": {}}}])
def test_a_system_without_data_sets_is_refused(systems: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(systems=systems)


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings().__setattr__("state", Path("/elsewhere"))


def test_a_schedule_in_the_hours_of_summer_time_is_warned_about() -> None:
    warnings = settings(schedule="30 2 * * *", schedule_zone="Europe/Berlin").warnings()
    assert len(warnings) == 1
    assert "'30 2 * * *'" in warnings[0]
    assert "schedule_zone: UTC" in warnings[0]


def test_a_schedule_in_utc_is_not_warned_about() -> None:
    assert settings(schedule="30 2 * * *").warnings() == []
