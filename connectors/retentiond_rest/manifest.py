"""A manifest: what a system is like, told in YAML instead of Python."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

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

    def faults(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """What is wrong between its parts: the place, and what it is."""
        for name, kind in self.kinds.items():
            yield from self._unrooted(name, kind)
        for place, request, allowed in self.requests():
            for unknown in sorted(one for one in request.holes - allowed if not one.startswith("values.")):
                yield place, f"there is no {{{unknown}}} for {request.method} {request.path}"
            if not request.reading and any(never.fits(request.method, _sample(request.path)) for never in self.never):
                yield place, f"{request.method} {request.path} is one of the requests that are never sent"

    def requests(self) -> Iterator[tuple[tuple[str, ...], Request, set[str]]]:
        """Every request with the place it belongs to, and the names of the holes that it may have."""
        yield ("sight",), self.sight, {"session"}
        for name, kind in self.kinds.items():
            for request, allowed in kind.requests():
                yield ("kinds", name), request, allowed | {"session"}
        if isinstance(self.auth, Login):
            yield ("auth",), self.auth.request, {"user", "secret"}
            if self.auth.logout is not None:
                yield ("auth",), self.auth.logout, {"session"}

    def values(self, kind: str) -> set[str]:
        """The names of the values that the settings have to give for a kind, its parents included."""
        told = set(self.sight.holes if self.kinds[kind].sight is None else ())
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

    def _unrooted(self, name: str, kind: Kind) -> Iterator[tuple[tuple[str, ...], str]]:
        seen = {name}
        while kind.parent is not None:
            if kind.parent not in self.kinds:
                yield ("kinds", name, "parent"), f"{kind.parent} is no kind of this manifest"
                return
            if kind.parent in seen:
                yield ("kinds", name, "parent"), "it is a part of itself"
                return
            seen.add(kind.parent)
            kind = self.kinds[kind.parent]


def _sample(path: str) -> str:
    return path.replace("{", "").replace("}", "")
