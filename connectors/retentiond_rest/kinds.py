"""One kind of records of a manifest: how they are found, dated, looked at, and what can be done to them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from retentiond.connector import KIND, Action
from retentiond_rest.dating import DateSpec
from retentiond_rest.parts import CopyPart, Part, Shape
from retentiond_rest.places import Place
from retentiond_rest.requests import Act, Delete, GetRequest, ListRequest, Purge, Request, Sight, Update
from retentiond_rest.settings import Setting

_WORD = re.compile(r"[a-z][a-z0-9_-]*")


def _word(name: str) -> str:
    if _WORD.fullmatch(name) is None:
        raise ValueError("must be a word such as created_at: small letters, digits, _ and -")
    return name


def _kind(name: str) -> str:
    if KIND.fullmatch(name) is None:
        raise ValueError("must be a kind of identifier such as email or customer-number")
    return name


Word = Annotated[str, AfterValidator(_word)]
Identifier = Annotated[str, AfterValidator(_kind)]


class FactSpec(Part):
    """A value that decides besides the dates."""

    at: Place
    is_: Annotated[Literal["text", "whole", "truth"], Field(alias="is")]
    """What it has to be; anything else is unknown."""


class Look(Part):
    """How one record is read back: by its key, or by a list in which it is no more."""

    get: GetRequest | None = None
    list_: Annotated[Literal["whole"] | None, Field(alias="list")] = None

    @model_validator(mode="after")
    def _one(self) -> Look:
        if (self.get is None) == (self.list_ is None):
            raise ValueError("say exactly one of get and list")
        return self


class Kind(Part):
    """One kind of records."""

    list_: Annotated[ListRequest | None, Field(alias="list")] = None
    ids: Literal["given"] | None = None
    """The system has no list: the keys come from the application's own table."""
    parent: Word | None = None
    """The kind of records that these are parts of; they are listed for each of its records."""
    only: tuple[Shape, ...] = ()
    """Records of any other shape are none of this kind."""
    key: tuple[Place, ...] = ()
    """Where the components of the key stand."""
    dates: dict[Word, DateSpec] = Field(default_factory=dict)
    facts: dict[Word, FactSpec] = Field(default_factory=dict)
    subjects: dict[Identifier, tuple[Place, ...]] = Field(default_factory=dict)
    identity: tuple[Place, ...] = ()
    """Places of what never changes in a record's life."""
    covers: tuple[Place, ...] = ()
    """Places of what else decides: where it differs from what was found, a record is left alone."""
    spares: tuple[str, ...] = ()
    """Keys of records that are kept whatever their age: those by which we see."""
    sight: Sight | None = None
    """Where another request than that of the manifest proves that these records would be seen."""
    look: Look | None = None
    delete: Delete | None = None
    block: Update | None = None
    unblock: Act | None = None
    anonymize: Update | None = None
    attest: dict[Identifier, Setting] = Field(default_factory=dict)
    """The vendor's settings, by the names under which policies expect them. A kind may have nothing else."""
    copies: tuple[CopyPart, ...] | None = None
    """The copies that outlive a delete; none has to be said."""

    @model_validator(mode="after")
    def _whole(self) -> Kind:
        if self.is_settings:
            return self
        if (self.list_ is None) == (self.ids is None):
            raise ValueError("say exactly one of list and ids")
        for name in ("key", "dates", "look"):
            if not getattr(self, name):
                raise ValueError(f"records need `{name}`")
        if self.ids is not None and len(self.key) > 1:
            raise ValueError("records of which only ids are known have a key of one part")
        if self.ids is not None and self.get is None:
            raise ValueError("records of which only ids are known are read with `look: {get: …}`")
        if self.delete is not None and self.copies is None:
            raise ValueError("a delete needs `copies`: the copies that outlive it, and [] where there are none")
        if self.unblock is not None and self.block is None:
            raise ValueError("there is nothing to unblock where nothing is blocked")
        every = {f"key.{number}" for number in range(len(self.key))}
        for name, act in self.acts():
            if not (every <= act.holes or (len(self.key) == 1 and act.holes & {"id", "path"})):
                raise ValueError(f"the request of {name} does not tell which record: it lacks {{id}}, or a part of the key")
        return self

    @property
    def is_settings(self) -> bool:
        """True where there are no records, only settings that are attested."""
        return bool(self.attest) and self.list_ is None and self.ids is None and not list(self.acts())

    @property
    def get(self) -> GetRequest | None:
        """The request for one record, where there is one."""
        return None if self.look is None else self.look.get

    def acts(self) -> Iterator[tuple[str, Act]]:
        """The acts that are described, with their names."""
        for name in ("delete", "block", "unblock", "anonymize"):
            act = getattr(self, name)
            if act is not None:
                yield name, act

    def actions(self) -> frozenset[Action]:
        """What a rule can do to these records."""
        return frozenset(Action(name) for name, _ in self.acts() if name != "unblock")

    def zoned(self, values: Mapping[str, str]) -> Kind:
        """This kind with the zones of its dates that the settings tell."""
        return self.model_copy(update={"dates": {name: spec.zoned(values) for name, spec in self.dates.items()}})

    def columns(self) -> set[str]:
        """The columns of the application's own table that decide."""
        places = {*self.key, *self.identity, *self.covers, *(spec.at for spec in self.dates.values())}
        places |= {spec.at for spec in self.facts.values()} | {place for places in self.subjects.values() for place in places}
        places |= {spec.agrees.at for spec in self.dates.values() if spec.agrees is not None}
        return {place.removeprefix("row:/").split("/")[0] for place in places if place.startswith("row:/")}

    def zones(self) -> set[str]:
        """The names of the values that tell a zone."""
        return {name for spec in self.dates.values() for name in spec.zone_values()}

    def purges(self) -> tuple[Purge, ...]:
        """What is deleted before a record."""
        return self.delete.before if self.delete is not None else ()

    def requests(self) -> Iterator[tuple[Request, set[str]]]:
        """Every request, with the names of the holes that it may have beside those of all requests."""
        key = {"id", "path", *(f"key.{number}" for number in range(len(self.key)))}
        if self.list_ is not None:
            yield self.list_, {"parent", "folder"} if self.parent else {"folder"}
        if self.get is not None:
            yield self.get, key
        for setting in self.attest.values():
            yield setting, set()
        for _, act in self.acts():
            yield act, key
            if act.awaits is not None:
                yield act.awaits, key
        for purge in self.purges():
            yield purge.list_, key
            yield purge.delete, {*key, "child"}
        if self.sight is not None:
            yield self.sight, set()


def values_in(told: set[str]) -> set[str]:
    """The names of the values that the settings have to give for these holes."""
    return {hole.removeprefix("values.") for hole in told if hole.startswith("values.")}
