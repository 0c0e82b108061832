"""What every command begins with: the settings that `--settings` names."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import cast

import typer

from retentiond.errors import ConfigurationError
from retentiond.model.record import Target
from retentiond.settings import Settings, load_settings


def settings_of(context: typer.Context) -> Settings:
    """The settings of this call; raise `ConfigurationError` where they are missing or wrong."""
    return load_settings(settings_file(context))


def settings_file(context: typer.Context) -> Path | None:
    """The file that `--settings` names; None where the default places are meant."""
    return cast("Path | None", context.find_root().obj)


def moment_of(text: str | None, now: datetime, option: str = "--as-of") -> datetime:
    """The moment that the `option` names, aware UTC; `now` where it is left out. A day alone means its beginning in UTC.

    Raises `ConfigurationError` for a text that is no ISO 8601 date, and for a time without a zone.
    """
    if text is None:
        return now
    try:
        if len(text) == len("2027-01-01"):
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        value = datetime.fromisoformat(text)
        if value.tzinfo is not None:
            return value.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter for an offset that leads out of the calendar
        raise ConfigurationError(
            f"The moment after {option} is no ISO 8601 date. Write 2027-01-01, or a time with its zone: "
            f"2027-01-01T00:00:00+01:00."
        ) from None
    raise ConfigurationError(f"The time after {option} has no zone. Add one: 2027-01-01T00:00:00+01:00, or Z for UTC.")


def regular_file(path: Path, option: str) -> Path:
    """`path`, unless something else is there that a file would replace, or from which reading would never end.

    Raises `ConfigurationError` for a folder, a device or a pipe, and where the name of a file is missing.
    """
    if not path.name or (path.exists() and not path.is_file()):
        raise ConfigurationError(f"{option} needs the name of a file, and {path} is none. Nothing was done.")
    return path


def target_of(text: str) -> Target:
    """The data set written as SYSTEM/DATASET; raise `ConfigurationError` for any other form."""
    system, slash, dataset = text.partition("/")
    if not (system and slash and dataset):
        raise ConfigurationError("Name the data set as SYSTEM/DATASET, as `retentiond systems` lists them.")
    return Target(system, dataset)
