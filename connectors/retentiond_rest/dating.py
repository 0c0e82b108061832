"""How a system writes a date, and when one is believed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from retentiond.connector import ConfigurationError, ConnectorError, Moment
from retentiond_rest.parts import Days, Part
from retentiond_rest.places import Place, Told

EARLIEST = date(2000, 1, 1)
"""What is dated before this is not believed, unless the manifest says otherwise."""
TELLS_ZONE = frozenset({"unix", "unix-ms", "day"})
_MS = 1000


_VALUE = re.compile(r"\{values\.([^{}]+)\}")


def _known_zone(zone: str) -> str:
    if _VALUE.fullmatch(zone):
        return zone
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no IANA time zone such as Europe/Berlin") from None
    return zone


def _form(form: str) -> str:
    if form not in {"unix", "unix-ms", "iso", "day"} and "%Y" not in form:
        raise ValueError("must be unix, unix-ms, iso, day, or a pattern with %Y such as %Y-%m-%d %H:%M:%S")
    return form


def _pattern(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error:
        raise ValueError("is no regular expression") from None
    if not groups:
        raise ValueError("needs a group (…) around what is the date")
    return text


Zone = Annotated[str, AfterValidator(_known_zone)]
Form = Annotated[str, AfterValidator(_form)]


class Written(Part):
    """A date as it stands in one place."""

    at: Place
    forms: tuple[Form, ...] = Field(min_length=1)
    """How it is written, the first one that fits."""
    zone: Zone | None = None
    """The zone of what tells none. Where it is left out too, such a value is not believed."""
    match: Annotated[str, AfterValidator(_pattern)] | None = None
    """A regular expression whose groups, joined by `-`, are the date."""

    @model_validator(mode="after")
    def _one_kind(self) -> Written:
        if len({form == "day" for form in self.forms}) > 1:
            raise ValueError("is either a day or an instant; forms of both do not go together")
        if self.zone is None and any("%" in form and "%z" not in form for form in self.forms):
            raise ValueError("needs a `zone`, since its form tells none")
        return self

    def zone_values(self) -> list[str]:
        """The name of the value that tells the zone, if one does."""
        return _VALUE.findall(self.zone or "")

    def zoned(self, values: Mapping[str, str]) -> Self:
        """This with the zone that the settings tell; raises `ConfigurationError` where that is none."""
        if self.zone is None or not self.zone_values():
            return self
        try:
            zone = _known_zone(values[self.zone_values()[0]])
        except ValueError as error:
            raise ConfigurationError(f"`values`: {self.zone_values()[0]} {error}.") from None
        return self.model_copy(update={"zone": zone})

    def read(self, told: Told) -> Moment | None:
        """The date; None where nothing stands there, or nothing that can be believed."""
        value = told.at(self.at)
        if self.match is not None:
            found = re.search(self.match, value) if isinstance(value, str) else None
            value = None if found is None else "-".join(group or "" for group in found.groups())
        for form in self.forms:
            moment = _parsed(value, form, ZoneInfo(self.zone) if self.zone else None)
            if moment is not None:
                return moment
        return None

    def empty(self, told: Told) -> bool:
        """True where nothing at all stands there."""
        return told.at(self.at) in (None, "")


class Agreeing(Written):
    """A second place that has to tell about the same date."""

    within: Days


class DateSpec(Written):
    """One date of a kind of records."""

    null: Literal["undated", "error"]
    """What a record is where nothing stands there: undated (listed, never due), or an answer that cannot be right."""
    not_a_date: tuple[str, ...] = ()
    """Values that mean something else, such as 1980-01-01 for an anonymous answer; the beginning of the value suffices."""
    plausible_from: date = EARLIEST
    """An earlier date is not believed."""
    agrees: Agreeing | None = None
    """Another place: where the two differ by more, neither is believed."""

    def moment(self, told: Told, who: str) -> Moment | None:
        """The date that is believed; None for an undated record. Raises `ConnectorError` where the policy says so."""
        if self.empty(told):
            if self.null == "error":
                raise ConnectorError(f"{who} tells a record without its date, which cannot be right.", "malformed")
            return None
        if any(str(told.at(self.at)).startswith(sentinel) for sentinel in self.not_a_date):
            return None
        moment = self.read(told)
        if moment is None or _day(moment) < self.plausible_from:
            return None
        return moment if self.agrees is None or self._agreed(moment, self.agrees, told) else None

    @staticmethod
    def _agreed(moment: Moment, agrees: Agreeing, told: Told) -> bool:
        other = agrees.read(told)
        return other is not None and abs(_day(other) - _day(moment)) <= agrees.within


def _day(moment: Moment) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _parsed(value: Any, form: str, zone: tzinfo | None) -> Moment | None:
    try:
        match form:
            case "unix" | "unix-ms":
                return _unix(value, _MS if form == "unix-ms" else 1)
            case "day":
                return date.fromisoformat(value) if isinstance(value, str) and len(value) == len("2020-01-01") else None
            case "iso":
                return _utc(datetime.fromisoformat(value), zone) if isinstance(value, str) and "T" in _t(value) else None
            case _:
                return _utc(datetime.strptime(value, form), zone) if isinstance(value, str) else None  # noqa: DTZ007 - see _utc
    except (ValueError, OverflowError, OSError):
        return None


def _t(value: str) -> str:
    return value.upper().replace(" ", "T")


def _unix(value: Any, scale: int) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value) / scale


def _utc(moment: datetime, zone: tzinfo | None) -> datetime | None:
    """The instant; of an hour that the clock repeats the later one, since a record must not go too early."""
    if moment.tzinfo is None:
        if zone is None:
            return None
        moment = max(moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return moment.astimezone(UTC)
