"""A manifest: what a system is like, told in YAML instead of Python."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from retentiond_rest.kinds import Kind, Word, values_in
from retentiond_rest.parts import ErrorShape, Part
from retentiond_rest.places import Place
from retentiond_rest.requests import ReadingRequest, Request, Sight
from retentiond_rest.templates import holes

CREDENTIALS = {"user", "secret", "session"}
"""Holes that only requests and headers of the login, or what it gives, may have."""


class Bearer(Part):
    """`Authorization: Bearer SECRET`."""

    by: Literal["bearer"]


class Basic(Part):
    """User and secret, as every browser sends them."""

    by: Literal["basic"]


class Header(Part):
    """A header of its own."""

    by: Literal["header"]
    name: str = Field(min_length=1)
    value: str = "{secret}"


class Login(Part):
    """A login whose answer holds a token, which requests then have as `{session}`."""

    by: Literal["login"]
    request: ReadingRequest
    token: Place
    """Where the token stands in the answer; anything but text there is a refusal."""
    logout: ReadingRequest | None = None


Auth = Annotated[Bearer | Basic | Header | Login, Field(discriminator="by")]


class Never(Part):
    """A request that is never sent, whatever else the manifest says."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "DESCRIBE", "any"] = "any"
    path: str = Field(pattern=r"^[/*]")
    """`*` stands for anything, slashes included."""
    why: str = Field(min_length=1)

    def fits(self, method: str, path: str) -> bool:
        """True for a request that is forbidden; the path is without its query."""
        return self.method in {method, "any"} and fnmatch.fnmatchcase(path, self.path.replace("[", "[[]"))


class Manifest(Part):
    """A system that is reached by HTTP."""

    rest: Literal[1]
    """The version of this form of manifest."""
    title: str = Field(min_length=1)
    hosts: tuple[str, ...] = ()
    """The only hosts that the credentials may be sent to, this machine besides; left out where everybody has their own."""
    auth: Auth
    headers: dict[str, str] = Field(default_factory=dict)
    requests_per_minute: int | None = Field(default=None, ge=1)
    """The budget of an account, where the settings name none."""
    errors: tuple[ErrorShape, ...] = ()
    """What an error looks like that comes with a status of success."""
    never: tuple[Never, ...] = ()
    sight: Sight
    kinds: dict[Word, Kind] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Manifest:
        for name, kind in self.kinds.items():
            self._rooted(name, kind)
        for where, request, allowed in self.requests():
            if unknown := sorted(one for one in request.holes - allowed if not one.startswith("values.")):
                raise ValueError(f"{where}: there is no {{{unknown[0]}}} for this request")
        for where, request, _ in self.requests():
            if not request.reading and any(never.fits(request.method, _sample(request.path)) for never in self.never):
                raise ValueError(f"{where}: the request is one of those that are never sent")
        return self

    def requests(self) -> Iterator[tuple[str, Request, set[str]]]:
        """Every request with its place for messages, and the names of the holes that it may have."""
        yield "sight", self.sight, {"session"}
        for name, kind in self.kinds.items():
            for request, allowed in kind.requests():
                yield f"kinds.{name}", request, allowed | {"session"}
        if isinstance(self.auth, Login):
            yield "auth", self.auth.request, {"user", "secret"}
            if self.auth.logout is not None:
                yield "auth", self.auth.logout, {"session"}

    def values(self, kind: str) -> set[str]:
        """The names of the values that the settings have to give for a kind, its parents included."""
        told = {hole for _, request, _ in self.requests() for hole in request.holes if request is self.sight}
        told |= holes(self.headers)
        if isinstance(self.auth, Login):
            told |= self.auth.request.holes
        name: str | None = kind
        while name is not None:
            one = self.kinds[name]
            told |= {hole for request, _ in one.requests() for hole in request.holes} | holes(one.spares)
            told |= {f"values.{zone}" for zone in one.zones()}
            name = one.parent
        return values_in(told)

    def _rooted(self, name: str, kind: Kind) -> None:
        seen = {name}
        while kind.parent is not None:
            if kind.parent not in self.kinds:
                raise ValueError(f"kinds.{name}: its parent {kind.parent} is no kind of this manifest")
            if kind.parent in seen:
                raise ValueError(f"kinds.{name}: is a part of itself")
            seen.add(kind.parent)
            kind = self.kinds[kind.parent]


def _sample(path: str) -> str:
    return path.replace("{", "").replace("}", "")
