"""The requests of a manifest: what is asked, in which pages, and what the answers mean."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from retentiond_rest.parts import Part, Shape
from retentiond_rest.places import Place
from retentiond_rest.templates import holes

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "DESCRIBE"]
READING = frozenset({"GET", "DESCRIBE"})


class Request(Part):
    """One request. Its texts may have holes, which are filled and encoded for where they stand."""

    method: Method = "GET"
    path: str = Field(pattern="^/")
    query: dict[str, str] = Field(default_factory=dict)
    data: Any = None
    """The body, sent as JSON."""
    headers: dict[str, str] = Field(default_factory=dict)
    reads: bool = False
    """True where it changes nothing though its method might."""

    @property
    def reading(self) -> bool:
        """True where it changes nothing."""
        return self.reads or self.method in READING

    @property
    def holes(self) -> set[str]:
        """The names of its holes."""
        return holes([self.path, self.query, self.data, self.headers])


class ReadingRequest(Request):
    """A request that changes nothing."""

    @model_validator(mode="after")
    def _only_reads(self) -> ReadingRequest:
        if not self.reading:
            raise ValueError("must change nothing; say `reads: true` where its method only looks as if it did")
        return self


class Sight(ReadingRequest):
    """A request that proves that we see what we believe to see; an empty page without it proves nothing."""

    holds: Shape
    """What its answer has to look like."""


class Pages(Part):
    """How a list is read to its end."""

    by: Literal["none", "page", "offset", "cursor", "link"]
    query: str | None = None
    """The parameter that tells the page, the offset or the cursor."""
    first: int = 0
    size: tuple[str, int] | None = None
    """The parameter that tells how many records a page has, and how many."""
    next: Place | None = None
    """Where an answer tells the cursor, or the address, of the next page."""
    more: Place | None = None
    """Where an answer tells true as long as there are further pages."""
    total: Place | None = None
    """Where an answer tells how many records there are altogether: they have to be found, all of them."""

    @model_validator(mode="after")
    def _told(self) -> Pages:
        if self.by in {"page", "offset", "cursor"} and self.query is None:
            raise ValueError(f"paging by {self.by} needs `query`, the parameter that tells it")
        if self.by in {"cursor", "link"} and self.next is None:
            raise ValueError(f"paging by {self.by} needs `next`, the place of what follows")
        return self


class Folders(Part):
    """A list of one folder, of which some items are folders themselves."""

    when: Shape
    """What a folder is told by."""
    name: Place
    """Where its name stands."""
    deepest: int = Field(default=12, ge=1, le=100)


class ListRequest(ReadingRequest):
    """A request for many records."""

    items: Place = ""
    """Where the records stand in an answer: a list, or a mapping of which the values are meant."""
    pages: Pages
    unpack: Literal["base64-json"] | None = None
    """How what stands at `packed` is wrapped."""
    packed: Place = ""
    folders: Folders | None = None
    empty_when: Shape | None = None
    """What an answer without a list looks like that means that there are none."""


class GetRequest(ReadingRequest):
    """A request for one record by its key."""

    item: Place = ""
    absent: tuple[int, ...] = (404,)
    """The answers that mean that there is no such record."""
    absent_when: Shape | None = None
    """What an answer of success looks like that means so."""
    bare: bool = False
    """True where an answer without JSON may mean so, too; otherwise a proxy's error page would be believed."""


class Awaited(ReadingRequest):
    """How the end of an act that was merely accepted is waited for."""

    until: Shape
    every: float = Field(default=2.0, gt=0, le=60)
    """Seconds."""
    most: float = Field(default=60.0, gt=0, le=600)
    """Seconds; after that nobody knows."""


class Act(Request):
    """A request that changes a record."""

    accept: tuple[int, ...] = Field(min_length=1)
    """The answers that mean that it is done."""
    gone: tuple[int, ...] = (404,)
    """The answers that mean that there was no such record."""
    confirms: Shape | None = None
    """What an accepted answer looks like; without it nobody knows what was done."""
    awaits: Awaited | None = None

    @model_validator(mode="after")
    def _changes(self) -> Act:
        if self.reading:
            raise ValueError("must change something; it has the method of a question")
        return self


class Purge(Part):
    """Records within a record, deleted before it, since its own delete would leave them."""

    list_: Annotated[ListRequest, Field(alias="list")]
    id: Place
    delete: Act


class Update(Act):
    """Blocks or anonymizes a record."""

    state: Shape
    """What a record in that state is told by."""


class Delete(Act):
    """Deletes a record."""

    before: tuple[Purge, ...] = ()
    """What is deleted before it."""
