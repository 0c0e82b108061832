"""Looks for what is lawfully wrong or doubtful in a policy: errors stop every command, findings are for a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from retentiond.model.bound import Duty
from retentiond.model.hold import HoldKind
from retentiond.model.law import CLASSES, NO_CLASS
from retentiond.model.policy import Policy
from retentiond.model.record import Action
from retentiond.model.rule import Rule
from retentiond.model.search import COUNTED_LATER

VAGUE = (
    "wenige Tage",
    "kurzer Zeit",
    "kurze Zeit",
    "kurzfristig",
    "Zweckerreichung",
    "Wegfall des Zwecks",
    "a few days",
    "shortly",
)
"""Words of a notice that promise no period."""

_RECORDINGS = frozenset({"audio-recording", "video-recording"})


class Severity(StrEnum):
    """What a lint finding does."""

    ERROR = "error"
    """No command uses the policy."""
    FINDING = "finding"
    """A person should look; nothing is stopped."""


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One thing that is wrong or doubtful."""

    rule: int
    """The place of the rule among those of its policy."""
    severity: Severity
    text: str
    paragraph: str
    """The law or standard behind it; empty where there is none."""

    def __str__(self) -> str:
        return f"{self.text} ({self.paragraph})" if self.paragraph else self.text


def lint(policy: Policy) -> tuple[LintFinding, ...]:
    """Return what is wrong or doubtful in a policy whose derived duties were looked up, rule by rule, errors first."""
    found: list[LintFinding] = []
    for number, rule in enumerate(policy.rules):
        found += [LintFinding(number, Severity.ERROR, *one) for one in _errors(rule)]
        found += [LintFinding(number, Severity.FINDING, *one) for one in _doubts(rule, policy)]
    return tuple(found)


def _errors(rule: Rule) -> Iterator[tuple[str, str]]:
    duty = rule.keep_at_least
    if isinstance(duty, Duty) and duty.statute and _shorter(rule, duty):
        law = duty.statute
        text = f"{duty.period} counted {duty.counted} ends before the law's {law.period} counted {law.counted}"
        yield f"{text}; write that period or a longer one", ", ".join(law.basis)
    if rule.action is Action.ANONYMIZE and _RECORDINGS & set(rule.categories):
        yield "a recording of a voice or a face cannot be made anonymous; write `action: delete`", "Recital 26 GDPR"


def _shorter(rule: Rule, duty: Duty) -> bool:
    """True unless it is certain that the duty never ends before the law's: part by part, so that no start has to be tried."""
    law = duty.statute
    if law is None:
        return False
    no_shorter = duty.period.whole_months >= law.period.whole_months and duty.period.whole_days >= law.period.whole_days
    counted_later = COUNTED_LATER.index(duty.counted) >= COUNTED_LATER.index(law.counted)
    first_day_counts = rule.start_of(duty).count_start_day and not duty.counted.by_year
    return not (no_shorter and counted_later) or first_day_counts


def _doubts(rule: Rule, policy: Policy) -> Iterator[tuple[str, str]]:
    notice = rule.notice or policy.notice
    duty = rule.keep_at_least if isinstance(rule.keep_at_least, Duty) else None
    name = duty.class_ if duty else NO_CLASS
    bounds = "; ".join(f"{stage} {bound.period}" for stage, bound in rule.bounds)
    for word in VAGUE:
        if word in notice and not duty:
            yield f"the notice says only {word!r}, the rule: {bounds}", "Art. 13(2)(a) GDPR"
    if name == "voucher" and re.search(r"\b10 Jahre", notice):
        yield "the notice promises 10 years, vouchers are kept 8 since 2025", "Art. 97 sec. 19a EGAO"
    letters = rule.lawful(policy.basis)
    if not letters and rule.categories:
        yield "no letter of Art. 6(1) GDPR is named as the basis", "Art. 6(1) GDPR"
    if name != NO_CLASS and letters == {"b"}:
        yield "the basis of a duty that a statute lays on us is Art. 6(1)(c), not (b)", "Art. 6(1)(c) GDPR"
    if name == NO_CLASS:
        for other, law in CLASSES.items():
            spoken = [word for word in law.words if _speaks(rule, word)]
            if spoken:
                yield f"the kind of data speaks of {spoken[0]!r}, and the rule names no class; is it {other}?", law.basis[0]
    if duty and duty.statute and duty.statute.tax and HoldKind.TAX_HOLD not in (rule.holds or ()):
        yield "`holds` leaves out tax-hold, so an open assessment does not keep it", "sec. 147(3) s. 5 AO"
    if rule.action is not Action.ANONYMIZE and "anonym" in f"{rule.data_kind.de} {rule.data_kind.en}".lower().replace(
        "pseudonym", ""
    ):
        yield "it is called anonymous, and nothing in the rule makes it so", "Art. 4(5) GDPR"
    if rule.review_after and rule.review_after.no_decision is None:
        yield "a review that nobody decides has no consequence", "Art. 5(1)(e) GDPR"
    if not rule.cases:
        yield "the rule has no case, so nobody can tell whether it is what was meant", ""
    if duty and rule.delete_by and rule.delete_by.period.longest_days < duty.period.shortest_days:
        yield (
            f"`delete_by` {rule.delete_by.period} ends before the duty of {duty.period}; from then on it is blocked",
            "Art. 18 GDPR",
        )


def _speaks(rule: Rule, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}", f"{rule.data_kind.de} | {rule.data_kind.en}", re.IGNORECASE) is not None
