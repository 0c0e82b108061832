"""Which messages a data set, and which another one of the same mailbox, claims; and whose folders are aside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from retentiond.connector import Target
from retentiond_imap.options import ImapConnection, ImapOptions, InKeyword


class Claim(BaseModel):
    """What decides whether a message is claimed: its folder and its marks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folders: tuple[str, ...]
    except_folders: tuple[str, ...]
    marked: tuple[str, ...]
    unmarked: tuple[str, ...]
    aside: str | None
    """The folder below which its blocked messages lie; None where it blocks nothing."""

    def holds(self, folder: str) -> bool:
        """True where it claims messages of this folder at all."""
        return matches(self.folders, folder) and not matches(self.except_folders, folder)

    def claims(self, folders: Iterable[str], marks: frozenset[str]) -> bool:
        """True where a message in these folders with these (small) marks is claimed."""
        return (
            all(mark.lower() in marks for mark in self.marked)
            and not any(mark.lower() in marks for mark in self.unmarked)
            and any(map(self.holds, folders))
        )


def matches(patterns: Sequence[str], folder: str) -> bool:
    """True where the folder is named, or lies below one that is named with `*`."""
    return any(folder.startswith(one[:-1]) if one.endswith("*") else folder == one for one in patterns)


def claim_of(options: ImapOptions) -> Claim:
    """What the data set claims."""
    aside = None if options.block is None else options.block.folder
    return Claim(
        folders=options.folders,
        except_folders=options.except_folders,
        marked=options.marked,
        unmarked=options.unmarked,
        aside=aside,
    )


class ContestedOptions(ImapOptions):
    """A data set of which others of the mailbox may claim the same messages. Never written in settings: `beside` makes it."""

    rivals: tuple[Claim, ...]
    """A field, so that a changed rival changes the digest of how this data set is reached: other records may go then."""


def beside(_connection: ImapConnection, options: ImapOptions, others: Sequence[tuple[Target, ImapOptions]]) -> ImapOptions:
    """The options with what the other data sets of the mailbox claim."""
    if not others:
        return options
    rivals = tuple(sorted((claim_of(other) for _, other in others), key=lambda claim: claim.model_dump_json()))
    told = {name: getattr(options, name) for name in ImapOptions.model_fields}
    return ContestedOptions.model_construct(**told, rivals=rivals)


def rivals_of(options: ImapOptions) -> tuple[Claim, ...]:
    """What other data sets of the mailbox claim."""
    return options.rivals if isinstance(options, ContestedOptions) else ()


@dataclass(frozen=True, slots=True)
class Decisive:
    """The marks that decide about a message, in small letters: those that are named, and beginnings of those with a date."""

    names: frozenset[str]
    prefixes: tuple[str, ...]

    def among(self, marks: frozenset[str]) -> frozenset[str]:
        """Those of `marks` that decide."""
        return frozenset(mark for mark in marks if mark in self.names or mark.startswith(self.prefixes))


def decisive(options: ImapOptions) -> Decisive:
    """The marks that decide here: by class, by a rival's class, by a date or by a fact."""
    names = {*options.marked, *options.unmarked}
    for rival in rivals_of(options):
        names |= {*rival.marked, *rival.unmarked}
    for fact in options.facts.values():
        names |= {fact.true_if} | ({fact.false_if} if fact.false_if else set())
    prefixes = [source.prefix.lower() for source in options.dates.values() if isinstance(source, InKeyword)]
    return Decisive(frozenset(name.lower() for name in names), tuple(prefixes))
