"""Whether a version of a rule may act: who gave which word, what was changed since, and whether the cool-off is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from retentiond.audit import Verification, Word
from retentiond.engine.assignment import Assignment
from retentiond.policy.change import Change, ChangeKind, change, removal
from retentiond.policy.version import Version, read_version, version_of
from retentiond.store import Approval, RuleVersion

_TWO = 2
_GONE = "removal"


class Cleared(StrEnum):
    """How far a version of a rule is on its way to being in force."""

    IN_FORCE = "in-force"
    REPORT = "report"
    """Nobody has approved any version of the rule."""
    SECOND = "second"
    """It is looser than the version in force, and one person or two have to say so yet."""
    COOLING = "cooling"
    """Two persons have approved it, and the cool-off runs."""


@dataclass(frozen=True, slots=True)
class Clearance:
    """Whether a version of a rule, or its removal, is in force."""

    state: Cleared
    by: tuple[str, ...] = ()
    """The staff ids of those who approved just this, in the order of their words."""
    until: datetime | None = None
    """When the cool-off ends (UTC); None where none runs."""
    change: Change | None = None
    """What lies between it and the version in force; None where there is none."""

    @property
    def in_force(self) -> bool:
        """True where it counts."""
        return self.state is Cleared.IN_FORCE


@dataclass(frozen=True, slots=True)
class Removal:
    """A rule that is in force although the policies do not hold it any more."""

    rule: str
    digest: str
    """Of the version in force (hex)."""
    system: str | None
    """The system it is about; None where that is not known any more."""
    found: Clearance
    """How far the removal is."""


@dataclass(frozen=True, slots=True)
class Words:
    """All words about rules that count, and the versions that they were about."""

    told: tuple[Word, ...]
    """In the order in which they were given."""
    versions: dict[tuple[str, str], Version] = field(default_factory=dict)
    """By rule and digest; one that is missing here, or cannot be read, compares as looser."""

    def about(self, rule: str) -> tuple[Word, ...]:
        """The words about a rule and its removal."""
        return tuple(word for word in self.told if word.subject in (f"rule {rule}", f"{_GONE} {rule}"))

    @property
    def rules(self) -> list[str]:
        """Every rule that somebody ever approved."""
        return list(dict.fromkeys(word.subject.partition(" ")[2] for word in self.told))


def words_of(approvals: Iterable[Approval], versions: Iterable[RuleVersion], told: Verification | None) -> Words:
    """Take the words of which the log tells, and those of the store where no log is at hand.

    So a store that was lost or changed brings no rule back to its beginning, and shortens no cool-off. Whether the store agrees
    about the version that is to act, `lost_words` says.
    """
    read = {}
    for row in versions:
        version = read_version(row.deciding, row.mapping)
        # Reckoned again: a version that somebody changed in the store is not the one that was approved.
        if version is not None and version.digest == row.digest and version.rule.id == row.rule:
            read[row.rule, row.digest] = version
    return Words(stored_words(approvals) if told is None else told.words, read)


def stored_words(approvals: Iterable[Approval]) -> tuple[Word, ...]:
    """The words about rules of which the store tells, in the order in which they were given."""
    return tuple(
        Word(f"{one.subject} {one.name}", one.digest, one.by, one.at) for one in approvals if one.subject in ("rule", _GONE)
    )


def lost_words(rule: str, digest: str, stored: Iterable[Word], logged: Iterable[Word]) -> str | None:
    """Say, in a finished sentence, of which word about this version of a rule only one of store and log tells; None for none."""
    subject = f"rule {rule}"
    in_store, in_log = ({one.by for one in words if (one.subject, one.digest) == (subject, digest)} for words in (stored, logged))
    if in_log - in_store:
        return (
            f"The deletion log tells that this version of rule {rule} was approved, but the store does not: it was "
            f"lost or rolled back, or the approval broke off. Restore the store, or approve the rule again."
        )
    if in_store - in_log:
        return (
            f"The store tells that this version of rule {rule} was approved, but the deletion log does not: nobody "
            f"gave that word to retentiond. Find out who changed the store; then approve the rule, if it is right."
        )
    return None


def clearance(words: Words, assignment: Assignment, now: datetime, cool_off: timedelta) -> Clearance:
    """Say whether the version of the rule that is written now may act at `now` (aware UTC).

    The first version of a rule needs one person's word. A later one that is tighter than the version in force needs none; one
    that is looser needs the words of two different persons, and is in force once `cool_off` has passed after the second one.
    """
    rule, digest = assignment.rule.id, assignment.digest
    course = _course(words, rule, now, cool_off)
    if course.digest is None:
        return Clearance(Cleared.REPORT)
    present = version_of(assignment.policy.policy, assignment.rule, assignment.target.mapping_digest)
    return _cleared(course, digest, _compared(words.versions.get((rule, course.digest)), present, course.digest), cool_off, now)


def removals(words: Words, present: Iterable[str], now: datetime, cool_off: timedelta) -> Iterator[Removal]:
    """Yield each rule in force that is not among those `present` any more, and whose removal is not in force yet."""
    there = set(present)
    for rule in words.rules:
        course = _course(words, rule, now, cool_off)
        if rule not in there and course.digest is not None:
            version = words.versions.get((rule, course.digest))
            found = _cleared(course, _removal(course.digest), removal(rule), cool_off, now)
            yield Removal(rule, course.digest, version.rule.target.system if version else None, found)


def waits_for(rule: str, found: Clearance, *, removed: bool = False) -> str:
    """Say, as finished sentences, why a version of a rule is not in force, and what is to be done about it."""
    what = f"removal {rule}" if removed else f"rule {rule}"
    why = " ".join(found.change.what) if found.change else ""
    head = why if removed else f"Rule {rule} is looser than the version in force: {why}"
    match found.state:
        case Cleared.IN_FORCE:
            return ""
        case Cleared.REPORT:
            return (
                f"Nobody has approved this version of rule {rule}, so it only reports. "
                f"If the plan is right: `retentiond approve {what} --by STAFF-ID`."
            )
        case Cleared.SECOND:
            who = f"a second person beside {found.by[0]} has" if found.by else "two persons have"
            return f"{head} So {who} to approve that, and then a cool-off passes: `retentiond approve {what} --by STAFF-ID`."
        case Cleared.COOLING:
            until = found.until.strftime("%Y-%m-%d %H:%M UTC") if found.until else "later"
            return (
                f"{head} {' and '.join(found.by)} have approved that, and it counts from {until} on, when the cool-off is over."
            )


@dataclass(slots=True)
class _Course:
    """The version of a rule that is in force, and the words that were given since it is."""

    digest: str | None = None
    """None while no version is in force."""
    since: list[Word] = field(default_factory=list)

    def words(self, digest: str) -> list[Word]:
        """The first word of each person for just this."""
        first: dict[str, Word] = {}
        for word in self.since:
            if _what(word) == digest:
                first.setdefault(word.by, word)
        return list(first.values())

    def by(self, digest: str) -> tuple[str, ...]:
        return tuple(word.by for word in self.words(digest))

    def cool_until(self, digest: str, cool_off: timedelta) -> datetime | None:
        words = self.words(digest)
        return max(word.at for word in words[:_TWO]) + cool_off if len(words) >= _TWO else None


def _course(words: Words, rule: str, now: datetime, cool_off: timedelta) -> _Course:
    """Follow the words about a rule up to `now`.

    What was said before a version came into force says nothing about a later one.
    """
    course = _Course()
    for word in words.about(rule):
        _ripen(course, min(word.at, now), cool_off)  # a word of a clock that was ahead ends no cool-off
        digest = _what(word)
        if digest == course.digest:
            continue
        course.since.append(word)
        if course.digest is None:
            if word.subject.startswith("rule "):
                course = _Course(digest)
            continue
        before, after = (words.versions.get((rule, one)) for one in (course.digest, digest))
        if after is not None and _compared(before, after, course.digest).kind is not ChangeKind.LOOSER:
            course = _Course(digest)
    _ripen(course, now, cool_off)
    return course


def _ripen(course: _Course, now: datetime, cool_off: timedelta) -> None:
    """Let come into force what two persons approved and whose cool-off is over."""
    ends = [(end, digest) for digest in dict.fromkeys(map(_what, course.since)) if (end := course.cool_until(digest, cool_off))]
    ripe = min((one for one in ends if one[0] <= now), default=None)
    if course.digest is not None and ripe is not None:
        course.digest = None if ripe[1] == _removal(course.digest) else ripe[1]
        course.since.clear()


def _cleared(course: _Course, digest: str, what: Change, cool_off: timedelta, now: datetime) -> Clearance:
    if what.kind is not ChangeKind.LOOSER:
        return Clearance(Cleared.IN_FORCE, course.by(digest), None, what)
    until = course.cool_until(digest, cool_off)
    if until is None:
        return Clearance(Cleared.SECOND, course.by(digest), None, what)
    return Clearance(Cleared.IN_FORCE if until <= now else Cleared.COOLING, course.by(digest), until, what)


def _compared(before: Version | None, after: Version, digest: str) -> Change:
    if after.digest == digest:
        return Change(ChangeKind.SAME, ())
    if before is None:
        return Change(ChangeKind.LOOSER, ("What the version in force said cannot be read any more.",))
    return change(before, after)


def _what(word: Word) -> str:
    return _removal(word.digest) if word.subject.startswith(_GONE) else word.digest


def _removal(digest: str) -> str:
    return f"{_GONE} {digest}"
