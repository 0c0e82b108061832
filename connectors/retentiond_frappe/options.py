"""What the settings say about a Frappe site and about one data set in it; each option is shown with an example in the README."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from retentiond.connector import Action, Offer, Secret, Target, TargetOptions
from retentiond.connector.http import HttpConnection
from retentiond.connector.written import CopyOption, Name, OptionPart

NAMED_AFTER_PERSONS = frozenset({"Contact", "CRM Organization"})
"""DocTypes whose records are called what the person, or a sole trader, is called: their name cannot be taken out of them."""

TABLES = {"email_ids": ("Contact Email", "email_id"), "phone_nos": ("Contact Phone", "phone")}
"""The tables of a Contact: the DocType of their rows, and the field that holds the identifier."""


Word = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of a field, as the site calls it."""
DocType = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9 _-]*$")]
Value = bool | int | str


class Administrator(OptionPart):
    """A second key, for what a System Manager may not: delete the history of fields, and see notifications of others."""

    key: str = Field(min_length=1)
    secret: Secret


class FrappeConnection(HttpConnection):
    """How to reach one site."""

    model_config = ConfigDict(hide_input_in_errors=True)

    key: str = Field(min_length=1)
    """The API key of retentiond's own user; no secret by itself."""
    secret: Secret
    site: str | None = Field(default=None, pattern=r"^[A-Za-z0-9.-]+(:[0-9]+)?$")
    """The name of the site where it is not the host of `url`; sent as `Host`."""
    administrator: Administrator | None = None
    settle_seconds: int = Field(default=60, ge=0, le=3600)
    """How long to wait for the site's background worker, which takes away what hangs on a deleted record."""
    copies: tuple[CopyOption, ...] | None = None
    """Which copies outlive a delete on this site; None means that nobody has said."""


class OwnDate(OptionPart):
    """A date that stands in a field of the record."""

    field: Word
    day: bool = False
    """True for a field of plain dates; others hold wall time in the site's zone."""


class ReferencedDate(OptionPart):
    """A date in a field of the record that this one refers to (`reference_doctype`, `reference_name`)."""

    referenced: dict[DocType, Word] = Field(min_length=1)
    """The field, by the DocType that is referred to; unknown for any other DocType."""
    day: bool = False


class Newest(OptionPart):
    """The last contact: the newest e-mail or call that is linked with the record or its deals; the field where there is none."""

    newest: Literal["contact"]
    otherwise: Word | None = "creation"
    """A field with wall time; None leaves the date unknown where there was no contact."""


DateOption = OwnDate | ReferencedDate | Newest


class FactOption(OptionPart):
    """A fact that stands in a field of the record; an empty field is an unknown fact."""

    field: Word
    kind: Literal["boolean", "number", "text"] = "boolean"


class Block(OptionPart):
    """How a record is blocked: by a check field, which a permission rule of the site heeds."""

    field: Word


class Anonymize(OptionPart):
    """What becomes of the fields that tell of a person."""

    fields: dict[Word, Value] = Field(min_length=1)
    """What each field is set to; it has to look valid: an empty text, or an address below `.invalid`."""


Part = Literal["deals", "contacts", "organizations"]


class FrappeOptions(TargetOptions):
    """Which records make up the data set, and what is told of them."""

    doctype: DocType
    only: dict[Word, Value | tuple[Value, ...] | None] = Field(default_factory=dict)
    """Only records whose fields have this value, or one of these; null is an empty field."""
    answered: bool | None = None
    """True for those from whom an e-mail or a call came in, False for those from whom none did; None for both."""
    dates: dict[Name, DateOption] = Field(min_length=1)
    facts: dict[Name, FactOption] = Field(default_factory=dict)
    subjects: dict[str, tuple[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")], ...]] = Field(default_factory=dict)
    """Fields that tell whom a record is about, by kind of identifier; `email_ids` and `phone_nos` are the tables of a Contact."""
    unchanged: tuple[Word, ...] = ()
    """Further fields that decide: a record of which one changed since it was found is left alone."""
    parts: tuple[Part, ...] = ()
    """What a converted lead was converted to, and goes with it. Left out, a lead that has become a deal cannot be deleted."""
    mail_by_address: bool = False
    """Whether e-mails that are linked with no record, and are from or to exactly this person, go with the record."""
    block: Block | None = None
    anonymize: Anonymize | None = None
    copies: tuple[CopyOption, ...] = ()

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.anonymize is not None and self.doctype in NAMED_AFTER_PERSONS:
            raise ValueError(f"a {self.doctype} is called what the person is called, so it cannot be anonymized; delete it")
        if self.parts and self.doctype != "CRM Lead":
            raise ValueError("`parts` are those of a CRM Lead")
        if self.mail_by_address and "email" not in self.subjects:
            raise ValueError("`mail_by_address` needs the addresses in `subjects.email`")
        decided = {*self.only, *self.unchanged, *(fact.field for fact in self.facts.values())}
        decided |= {date.field for date in self.dates.values() if isinstance(date, OwnDate)}
        decided |= {date.otherwise for date in self.dates.values() if isinstance(date, Newest) and date.otherwise}
        written = {*(self.anonymize.fields if self.anonymize else ()), *([self.block.field] if self.block else ())}
        if both := sorted(decided & written):
            raise ValueError(f"{both[0]} decides, so it can neither be anonymized nor tell of a block")
        if "modified" in decided and written:
            raise ValueError("`modified` moves with our own act, so it cannot decide where records are blocked or anonymized")
        return self


def offer(connection: FrappeConnection, options: FrappeOptions) -> Offer:
    """What the data set can do. Nothing is anonymized without `administrator`: the history would keep the old values."""
    actions = {Action.DELETE}
    if options.block is not None:
        actions.add(Action.BLOCK)
    if options.anonymize is not None and connection.administrator is not None:
        actions.add(Action.ANONYMIZE)
    return Offer(
        frozenset(options.dates),
        frozenset(actions),
        facts=frozenset(options.facts),
        subjects=frozenset(options.subjects),
        computed=frozenset(name for name, date in options.dates.items() if not isinstance(date, OwnDate)),
    )


class Rival(OptionPart):
    """What another data set of the site claims of the same DocType."""

    only: dict[Word, Value | tuple[Value, ...] | None]
    answered: bool | None


class Kept(OptionPart):
    """What another data set of the site claims of another DocType: it has a rule of its own, and goes with nothing else."""

    doctype: str
    only: dict[Word, Value | tuple[Value, ...] | None]


class ContestedOptions(FrappeOptions):
    """A data set beside others, which may claim its records or what hangs on them. Made by `beside`, not written in settings."""

    rivals: tuple[Rival, ...]
    """A field, so that a changed rival changes the digest of how this data set is reached: other records may go then."""
    kept: tuple[Kept, ...]


def beside(
    _connection: FrappeConnection, options: FrappeOptions, others: Sequence[tuple[Target, FrappeOptions]]
) -> FrappeOptions:
    """The options with what the other data sets of the site claim of the same DocType."""
    near = [Rival(only=other.only, answered=other.answered) for _, other in others if other.doctype == options.doctype]
    far = [Kept(doctype=other.doctype, only=other.only) for _, other in others if other.doctype != options.doctype]
    if not near and not far:
        return options
    told = {name: getattr(options, name) for name in FrappeOptions.model_fields}
    return ContestedOptions.model_construct(
        **told,
        rivals=tuple(sorted(near, key=lambda one: one.model_dump_json())),
        kept=tuple(sorted(far, key=lambda one: one.model_dump_json())),
    )


def rivals(options: FrappeOptions) -> tuple[Rival, ...]:
    """What other data sets claim of the same DocType."""
    return options.rivals if isinstance(options, ContestedOptions) else ()


def kept(options: FrappeOptions) -> tuple[Kept, ...]:
    """What other data sets claim of other DocTypes."""
    return options.kept if isinstance(options, ContestedOptions) else ()
