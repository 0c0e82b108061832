"""What the settings can say. Frozen values: whoever holds them holds what was read at that moment."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import sqlalchemy as sa
from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from retentiond.document import Document
from retentiond.secret import Secret
from retentiond.settings.anchors import Anchors
from retentiond.settings.environment import PREFIX, variables
from retentiond.settings.part import Count, Part, Place, Span, whole
from retentiond.settings.schedule import parse_schedule, risky_local_hours

POSTGRESQL = "postgresql+psycopg"
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")
_ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(?:/[A-Za-z0-9._~-]+)*")
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


def _share(value: object) -> object:
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 0 < float(match[1]) <= 100:  # noqa: PLR2004 - per cent
        raise ValueError("a share is written in per cent, more than 0% and at most 100%, for example 25%")
    return float(match[1]) / 100


def _schedule(value: str) -> str:
    parse_schedule(value)
    return value


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("no such time zone; write it like UTC or Europe/Berlin")
    return value


def _origin(value: str) -> str:
    if _ORIGIN.fullmatch(value) is None:
        raise ValueError("the log's name looks like example.org/retentiond/main: a host and a path, no scheme, no spaces")
    return value


def _database(value: str) -> str:
    try:
        url = sa.make_url(value)
    except (sa.exc.ArgumentError, ValueError):
        url = None
    # The text itself is never repeated: what is written wrongly here may hold a password.
    if url is None or url.drivername != POSTGRESQL or not url.database:
        raise ValueError(
            f"the database is named like {POSTGRESQL}://USER@HOST/DATABASE; leave it out to use SQLite in the state directory"
        )
    if url.password is not None or {"password", "passfile", "sslpassword"} & set(url.query):
        raise ValueError("the password does not belong here; say under `database_password` where it lies")
    return value


Share = Annotated[float, BeforeValidator(_share)]
"""Written in per cent (`25%`), kept as a fraction."""

Name = Annotated[str, Field(pattern=_NAME)]


class Guards(Part):
    """How far each guard lets a run go; a rule's own `limits` take the place of the first three."""

    records: Count = 10_000
    """How many records one rule may change in 24 hours."""
    share: Share = 0.25
    """How much of a data set one run may change."""
    undatable: Share = 0.20
    """How much of a data set may have no provable date before nothing of it is changed."""
    spike: Count = 10
    """How many times as much as usual may be due before a person has to look."""
    spike_floor: Count = 1_000
    """Up to this many due records are never called a spike."""
    arrivals: Share = 0.10
    """How many of a plan's records may have come in bulk, as by a restore or an import, before a person has to look."""
    arrivals_floor: Count = 20
    """Up to this many records are never called a bulk arrival."""
    errors: Count = 20
    """How many records of one step may fail before the rest of the step is left alone."""
    clock_back: Count = 120
    """Seconds that the clock may have been set back."""
    clock_ahead_days: Count = 45
    """Days without a run after which a person has to say that the clock is right."""
    target_clock: Count = 600
    """Seconds that a system's own clock may differ from ours."""
    cool_off: Span = timedelta(days=7)
    """How long after its second approval a looser version of a rule, or a removal, does not count yet."""


class Retry(Part):
    """How often a system that is not available is tried again."""

    attempts: Annotated[int, BeforeValidator(whole), Field(ge=1, le=20)] = 5
    """How many times in all."""


class Log(Part):
    """What the program's own messages look like, on stderr or in the journal."""

    format: Literal["text", "json", "journal"] = "text"
    """Lines for a person, lines of JSON, or fields handed to the journal itself."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least urgent messages that are still written."""


class SystemSettings(Part):
    """One system: by which connector it is reached, and which of its data sets rules may speak of."""

    connector: str
    """The connector's name."""
    connection: dict[str, Any] = Field(default_factory=dict, repr=False)
    """What the connector needs to reach the system; the connector says what may stand here."""
    datasets: dict[Name, dict[str, Any]] = Field(repr=False, min_length=1)
    """Each data set by its name, with what the connector needs to know of it."""


class Settings(BaseSettings):
    """Everything the settings say; read by `load_settings`."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_file=None,
        nested_model_default_partial_update=False,
    )

    policies: Place
    """A policy file, or the folder that holds them."""
    state: Place
    """The state directory: store, deletion log, keys and locks."""
    origin: Annotated[str, AfterValidator(_origin)]
    """The deletion log's name in its checkpoints. Chosen once: a log under another name is another log."""
    systems: dict[Name, SystemSettings] = Field(min_length=1)
    """Each system by its name."""
    database: Annotated[str, AfterValidator(_database)] | None = None
    """Where store and deletion log lie, as a PostgreSQL URL; None for SQLite files in the state directory."""
    database_password: Secret | None = None
    """Where the database's password lies; None where it asks for none."""
    schedule: Annotated[str, AfterValidator(_schedule)] = "17 3 * * *"
    """When the daemon runs, in cron's five fields."""
    schedule_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """The IANA time zone of the schedule."""
    batch_size: Count = 1_000
    """How many records are dealt with together; a connector may ask for fewer."""
    anchors: Anchors = ()
    """To whom outside checkpoints of the deletion log are handed, so that rewriting it is found."""
    guards: Guards = Guards()
    retry: Retry = Retry()
    log: Log = Log()

    _document: Document = PrivateAttr()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file; nothing else is looked at."""
        del dotenv_settings, file_secret_settings
        if isinstance(env_settings, EnvSettingsSource):
            # Only what is a setting in itself: a variable cannot add a system, and an unknown one is told by its name.
            known = {name.lower() for name in variables(settings_cls)}
            env_settings.env_vars = {name: value for name, value in env_settings.env_vars.items() if name in known}
        return env_settings, init_settings

    @property
    def document(self) -> Document:
        """The file as it was read, to tell where something stands in it."""
        return self._document

    @property
    def path(self) -> Path:
        """The settings file."""
        return self._document.path

    def database_url(self) -> sa.URL | None:
        """The database with its password filled in; None where SQLite files in the state directory are used.

        Raises `ConfigurationError` where the password is not where the settings say.
        """
        if self.database is None:
            return None
        url = sa.make_url(self.database)
        return url if self.database_password is None else url.set(password=self.database_password.reveal())

    def warnings(self) -> list[str]:
        """What is allowed but likely not meant, as finished sentences."""
        hours = risky_local_hours(self.schedule, self.schedule_zone)
        if not hours:
            return []
        where = f"between 1 and 4 o'clock in {self.schedule_zone}"
        return [
            (
                f"The schedule {self.schedule!r} starts runs {where}, where summer time skips or repeats that hour: "
                f"a run is left out in spring or comes twice in autumn. Choose another hour, or `schedule_zone: UTC`."
            )
        ]
